/** The image id that is sealed, computed before the sealed image exists. */
import { storedContents } from "../imagestore/index.ts";
import { imageIdOfTree, type Repository } from "../repository/index.ts";
import { composeBootTree, type DirectoryNode } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";

/** Hosts know SHA-512 only (spec/host.md 0). */
export const SEAL_ALGORITHM: VerityAlgorithm = "sha512";

/**
 * Computes the ids of the boot images of a tree, the numbers in the composefs arguments.
 *
 * @param repository holds the contents of the tree's files
 * @param root all layers merged, before any transform; it is transformed in place
 * @returns gives the id of the image in a version
 */
export function bootImageIds(repository: Repository, root: DirectoryNode): (version: 1 | 2) => string {
  composeBootTree(root, storedContents(repository));
  return (version) => imageIdOfTree(root, SEAL_ALGORITHM, version);
}
