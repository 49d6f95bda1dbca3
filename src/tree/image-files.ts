/** The files of an image as seal needs them: found by path, read whole. */
import type { TreeNode } from "../tree/index.ts";

/**
 * Read access to an image's files: a tree with its repository (`TreeFiles`), or a directory in tests. Paths are absolute;
 * symbolic links are followed inside the image.
 */
export interface ImageFiles {
  /** The node at `path` and the path where it really is, or undefined. */
  resolve(path: string): { readonly path: string; readonly node: TreeNode } | undefined;
  /**
   * The content of a regular file.
   * @throws SealrootError `not-found` when there is no regular file
   */
  read(path: string): Promise<Uint8Array> | Uint8Array;
  /** The names in a directory, in byte order; empty when it does not exist. */
  list(path: string): string[];
}
