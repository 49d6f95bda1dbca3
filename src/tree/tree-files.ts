/** A tree as a file system to read from: files found by path, contents fetched from wherever they are. */
import { byteStringOfText, displayText } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { DirectoryNode, FileNode, TreeNode } from "./node.ts";
import { resolvePath } from "./path.ts";
import { sortedNames } from "./walk.ts";

/** Finds and reads the files of an image's tree. Paths are absolute text; links are followed inside the image. */
export class TreeFiles {
  readonly #root: DirectoryNode;
  readonly #readObject: (objectId: string) => Uint8Array;

  /** @param readObject the bytes of the object with this id */
  constructor(root: DirectoryNode, readObject: (objectId: string) => Uint8Array) {
    this.#root = root;
    this.#readObject = readObject;
  }

  /** The node at `path` and the path where it really is, or undefined. */
  resolve(path: string): { readonly path: string; readonly node: TreeNode } | undefined {
    const found = resolvePath(this.#root, byteStringOfText(path));
    return found && { path: displayText(found.path), node: found.node };
  }

  /** True when there is a regular file. */
  hasFile(path: string): boolean {
    return this.#file(path) !== undefined;
  }

  hasDirectory(path: string): boolean {
    return this.#directory(path) !== undefined;
  }

  /** Names in a directory in byte order; none when it does not exist. */
  list(path: string): string[] {
    const directory = this.#directory(path);
    return directory === undefined ? [] : sortedNames(directory).map(displayText);
  }

  /** @throws SealrootError `not-found` when there is no regular file */
  read(path: string): Uint8Array {
    const file = this.#file(path);
    if (file === undefined) {
      throw new SealrootError("not-found", `Cannot read ${path} in the image: there is no such file`, { path });
    }
    if (file.content.type === "inline") return file.content.bytes;
    if (file.content.objectId === undefined) {
      throw new SealrootError("corrupt", `Cannot read ${path} in the image: its content is not known`, { path });
    }
    return this.#readObject(file.content.objectId);
  }

  /** Paths of all regular files below a directory, in byte order, links not followed. */
  filesBelow(path: string): string[] {
    const found: string[] = [];
    const pending = [path];
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      for (const name of this.list(directory)) {
        const child = `${directory}/${name}`;
        const node = resolvePath(this.#root, byteStringOfText(child), { followLast: false })?.node;
        if (node?.kind === "directory") pending.push(child);
        else if (node?.kind === "file") found.push(child);
      }
    }
    return found.sort();
  }

  #file(path: string): FileNode | undefined {
    const node = this.resolve(path)?.node;
    return node?.kind === "file" ? node : undefined;
  }

  #directory(path: string): DirectoryNode | undefined {
    const node = this.resolve(path)?.node;
    return node?.kind === "directory" ? node : undefined;
  }
}
