/** A tree as a readable file system: files found by path, contents fetched from wherever they are. */
import { byteStringOfText, displayText } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { contentReader } from "./compose.ts";
import type { NodeFinder } from "./look-up.ts";
import type { DirectoryNode, FileNode, TreeNode } from "./node.ts";
import { resolvePath } from "./path.ts";
import type { ContentReader } from "./selinux-files.ts";
import { sortedNames } from "./walk.ts";

/** Finds and reads the files of an image's tree. Paths are absolute text; links are followed inside the image. */
export class TreeFiles implements NodeFinder {
  readonly #root: DirectoryNode;
  readonly #readContent: ContentReader;

  /** @param readObject the bytes of the object with this id */
  constructor(root: DirectoryNode, readObject: (objectId: string) => Uint8Array) {
    this.#root = root;
    this.#readContent = contentReader(readObject);
  }

  /** The node at `path` and the path where it really is, or undefined. */
  resolve(path: string): { readonly path: string; readonly node: TreeNode } | undefined {
    const found = resolvePath(this.#root, byteStringOfText(path));
    return found && { path: displayText(found.path), node: found.node };
  }

  /** Names in a directory in byte order; none if it does not exist. */
  list(path: string): string[] {
    const node = this.resolve(path)?.node;
    return node?.kind === "directory" ? sortedNames(node).map(displayText) : [];
  }

  /** @throws SealrootError `not-found` when there is no regular file */
  read(path: string): Uint8Array {
    const file = this.#file(path);
    if (file === undefined) {
      throw new SealrootError("not-found", `Cannot read ${path} in the image: there is no such file`, { path });
    }
    return this.#readContent(file.content, byteStringOfText(path));
  }

  #file(path: string): FileNode | undefined {
    const node = this.resolve(path)?.node;
    return node?.kind === "file" ? node : undefined;
  }
}
