/** Kernel arguments of the image that a host without seal runs. */
import { type Architecture, type1KernelArguments } from "../bootimage/index.ts";
import { type Repository, readStoredTree } from "../repository/index.ts";
import { TreeFiles } from "../tree/index.ts";

/**
 * The `kargs.d` of the image that the host runs.
 *
 * @param imageId of the EROFS image that is mounted
 * @throws SealrootError `not-found` when the repository lacks it; as type1KernelArguments
 */
export async function bootedKernelArguments(
  repository: Repository,
  imageId: string,
  architecture: Architecture,
): Promise<string[]> {
  const { root } = readStoredTree(repository, repository.images.resolve(imageId));
  return type1KernelArguments(new TreeFiles(root, (objectId) => repository.objects.read(objectId)), architecture);
}
