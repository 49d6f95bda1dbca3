/** The files of a deployment's image, `/boot` with them, as its layers have them. */
import { corrupt, SealrootError } from "../../errors/index.ts";
import { mergeLayers, readStoredImage, storedLayers } from "../../imagestore/index.ts";
import { requireDigest } from "../../objects/index.ts";
import type { Repository } from "../../repository/index.ts";
import { TreeFiles } from "../../tree/index.ts";
import { verityDigest } from "../../verity/index.ts";

/**
 * Reads an image's tree. What is read of it goes where no kernel checks it any more, so every content is checked against its
 * digest, whatever vouches for the object.
 *
 * @param manifestDigest of the image, as the origin file says
 * @throws SealrootError `not-found` when the repository lacks the image; `corrupt`
 */
export async function imageFilesOf(repository: Repository, manifestDigest: string | undefined): Promise<TreeFiles> {
  if (manifestDigest === undefined) throw corrupt("Cannot read the image: the origin file names no manifest");
  const stored = await readStoredImage(repository, manifestDigest);
  if (stored === undefined) {
    const what = `Cannot read the image: ${manifestDigest} is not in the repository`;
    throw new SealrootError("not-found", what, { path: repository.path });
  }
  const tree = await mergeLayers(repository, storedLayers(stored));
  return new TreeFiles(tree, (objectId) => {
    const bytes = repository.objects.read(objectId);
    requireDigest(objectId, verityDigest(bytes, repository.algorithm));
    return bytes;
  });
}
