/** `/etc` of a deployment's image, as its state directory got it (spec/host-lifecycle.md 7). */
import { etcOfImage, stateXattrs } from "../deployment/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { mergeLayers, readStoredImage, storedLayers } from "../imagestore/index.ts";
import { type Repository, readStoredTree } from "../repository/index.ts";
import type { DirectoryNode } from "../tree/index.ts";

/**
 * The mounted image has the labels; what was copied out of the layers has more attributes than it shows.
 *
 * @param manifestDigest of the image, as the origin file says
 * @param imageId the EROFS image that is mounted
 * @throws SealrootError `not-found` when the repository lacks one of them; `corrupt`
 */
export async function etcOfDeployment(
  repository: Repository,
  manifestDigest: string | undefined,
  imageId: string,
): Promise<DirectoryNode> {
  if (manifestDigest === undefined) throw corrupt("Cannot read the image's /etc: the origin file names no manifest");
  const stored = await readStoredImage(repository, manifestDigest);
  if (stored === undefined) {
    const what = `Cannot read the image's /etc: image ${manifestDigest} is not in the repository`;
    throw new SealrootError("not-found", what, { path: repository.path });
  }
  const layers = await mergeLayers(repository, storedLayers(stored));
  const { root } = readStoredTree(repository, repository.images.resolve(imageId));
  return etcOfImage(root, stateXattrs(layers));
}
