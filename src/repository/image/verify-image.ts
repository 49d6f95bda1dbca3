/** Whether an image can be mounted and every file of it read, as the kernel will ask. */
import { erofsObjects } from "../../erofs/index.ts";
import { requireDigest } from "../../objects/index.ts";
import { verityDigest } from "../../verity/index.ts";
import type { Repository } from "../repository.ts";
import { requireOwnName } from "./stored-tree.ts";

/**
 * Opens an image and every object that it names: the kernel's fs-verity digest of each must be its name in a secure
 * repository. Contents are not read there; the kernel checks them whenever they are read.
 *
 * @returns how many objects the image names
 * @throws SealrootError `not-found` for what is missing, `untrusted` for what the kernel does not vouch for, `corrupt`
 */
export function verifyImage(repository: Repository, imageId: string): number {
  const image = repository.images.resolve(imageId);
  requireOwnName(image);
  const bytes = repository.objects.read(image.objectId);
  if (repository.protection !== "secure") requireDigest(image.objectId, verityDigest(bytes, repository.algorithm));
  const objects = new Set(erofsObjects(bytes));
  for (const objectId of objects) repository.objects.open(objectId)[Symbol.dispose]();
  return objects.size;
}
