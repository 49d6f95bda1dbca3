/** `/etc` of a deployment's image, as its state directory got it (spec/host-lifecycle.md 7). */
import { etcOfImage, stateXattrs, UNSHOWN_XATTRS } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { mayHaveXattrs, mergeLayers, readStoredImage, storedLayers } from "../imagestore/index.ts";
import { type Repository, readStoredTree } from "../repository/index.ts";
import type { DirectoryNode } from "../tree/index.ts";

/**
 * The mounted image has the labels; what was copied out of the layers has more attributes than it shows.
 *
 * @param manifestDigest of the image, as the origin file says; undefined where it names none
 * @param imageId the EROFS image that is mounted
 * @throws SealrootError `not-found` when the repository lacks one of them; `corrupt`
 */
export async function etcOfDeployment(
  repository: Repository,
  manifestDigest: string | undefined,
  imageId: string,
): Promise<DirectoryNode> {
  const readShown = () => readStoredTree(repository, repository.images.resolve(imageId)).root;
  // Of a deployment of old bootc, which copied what a mount of the image shows.
  if (manifestDigest === undefined) return etcOfImage(readShown(), new Map());
  const stored = await readStoredImage(repository, manifestDigest);
  if (stored === undefined) {
    const what = `Cannot read the image's /etc: image ${manifestDigest} is not in the repository`;
    throw new SealrootError("not-found", what, { path: repository.path });
  }
  const layers = storedLayers(stored);
  // Capabilities are shown. Merging the layers takes five times as long as finding that they need not be.
  if (!(await mayHaveXattrs(repository, layers, UNSHOWN_XATTRS))) return etcOfImage(readShown(), new Map());
  return etcOfImage(readShown(), stateXattrs(await mergeLayers(repository, layers)));
}
