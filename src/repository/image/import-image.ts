/** Importing an EROFS image made elsewhere into the repository. */
import { readErofs } from "../../erofs/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { type DirectoryNode, walkTree } from "../../tree/index.ts";
import type { LinkEntry } from "../link-store.ts";
import type { Repository } from "../repository.ts";

/**
 * Stores an image and gives it a reference. The reference tool accepts any bytes; here they must pass the strict
 * reader, and everything that the image's files need must already be in the repository: what is on the list of images
 * can be mounted and read.
 *
 * @throws SealrootError `corrupt` for bytes that are not an image, `conflict` for digests of another algorithm,
 *   `not-found` for a missing object
 */
export function storeForeignImage(repository: Repository, bytes: Uint8Array, referenceName: string): LinkEntry {
  repository.assertWritable();
  const { root, algorithm } = readErofs(bytes);
  if (algorithm !== undefined && algorithm !== repository.algorithm) {
    throw new SealrootError(
      "conflict",
      `Cannot import the image: its objects have ${algorithm} digests, those of the repository ${repository.algorithm}`,
      { expected: repository.algorithm, actual: algorithm },
    );
  }
  requireObjects(repository, root);
  return repository.registerImage(bytes, referenceName);
}

function requireObjects(repository: Repository, root: DirectoryNode): void {
  const missing = new Set<string>();
  for (const { node } of walkTree(root)) {
    if (node.kind !== "file" || node.content.type === "inline" || node.content.objectId === undefined) continue;
    if (!repository.objects.has(node.content.objectId)) missing.add(node.content.objectId);
  }
  const [first] = missing;
  if (first === undefined) return;
  throw new SealrootError(
    "not-found",
    `Cannot import the image: ${missing.size} of its objects are not in the repository, the first is ${first}`,
    { hint: "store the files first: sealroot repo create-image, or mkcomposefs --digest-store=REPOSITORY/objects" },
  );
}
