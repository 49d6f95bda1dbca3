/** An EROFS image of the repository as a tree. */

import { type ErofsImage, readErofs } from "../../erofs/index.ts";
import { corrupt } from "../../errors/index.ts";
import { requireDigest } from "../../objects/index.ts";
import { verityDigest } from "../../verity/index.ts";
import type { LinkEntry } from "../link-store.ts";
import type { Repository } from "../repository.ts";

/**
 * Reads an image. Its name vouches for it, however it was found: the link must lead to the object with that name (the
 * reference tool compares nothing if it was named by a reference; spec/repository.md 5), and the bytes must have that
 * digest: according to the kernel in a secure repository, computed here in any other.
 *
 * @throws SealrootError `corrupt` when name, object and bytes do not agree, or the bytes are not an image; `not-found`
 */
export function readStoredTree(repository: Repository, image: LinkEntry): ErofsImage {
  requireOwnName(image);
  const bytes = repository.objects.read(image.objectId);
  if (repository.protection !== "secure") requireDigest(image.objectId, verityDigest(bytes, repository.algorithm));
  return readErofs(bytes);
}

/** @throws SealrootError `corrupt` when the link is not named after the object it leads to */
export function requireOwnName({ entry, objectId }: LinkEntry): void {
  if (entry === objectId) return;
  throw corrupt(`Cannot use images/${entry}: the link leads to the object ${objectId}`, {
    expected: entry,
    actual: objectId,
  });
}
