/** The files of an image: found by path, read whole. */
import type { NodeFinder } from "./look-up.ts";

/** Read access to an image's files: a tree with its repository (`TreeFiles`), or a directory in tests. */
export interface ImageFiles extends NodeFinder {
  /**
   * The content of a regular file.
   * @throws SealrootError `not-found` when there is no regular file
   */
  read(path: string): Promise<Uint8Array> | Uint8Array;
}
