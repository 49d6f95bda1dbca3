/** The files of an image as seal needs them: found by path, read whole. */
import { byteStringOfText, displayText } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type DirectoryNode, resolvePath, type TreeNode } from "../tree/index.ts";

/** Read access to an image's file tree. Paths are absolute; symbolic links are followed inside the image. */
export interface ImageFiles {
  /** The node at `path` and the path where it really is, or undefined. */
  resolve(path: string): { readonly path: string; readonly node: TreeNode } | undefined;
  /**
   * The content of a regular file.
   * @throws SealrootError `not-found` when there is no regular file
   */
  read(path: string): Promise<Uint8Array>;
  /** The names in a directory, in byte order; empty when it does not exist. */
  list(path: string): string[];
}

/**
 * The files of a tree whose large contents are in a repository.
 *
 * @param readObject the bytes of the object with this id
 */
export function filesOfTree(
  root: DirectoryNode,
  readObject: (objectId: string) => Promise<Uint8Array> | Uint8Array,
): ImageFiles {
  const resolve = (path: string) => {
    const found = resolvePath(root, byteStringOfText(path));
    return found && { path: displayText(found.path), node: found.node };
  };
  return {
    resolve,
    read: async (path) => {
      const node = resolve(path)?.node;
      if (node?.kind !== "file") {
        throw new SealrootError("not-found", `Cannot read ${path} in the image: there is no such file`, { path });
      }
      if (node.content.type === "inline") return node.content.bytes;
      if (node.content.objectId === undefined) {
        throw new SealrootError("corrupt", `Cannot read ${path} in the image: its content is not known`, { path });
      }
      return readObject(node.content.objectId);
    },
    list: (path) => {
      const node = resolve(path)?.node;
      return node?.kind === "directory" ? [...node.entries.keys()].sort().map(displayText) : [];
    },
  };
}
