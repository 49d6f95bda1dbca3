/** How an image wants its root: `setup-root-conf.toml`, as it is in the image (spec/host-boot.md 3). */
import { parseRootConfiguration, ROOT_CONFIGURATION_PATH, type RootConfiguration } from "../bootplan/index.ts";
import { type Repository, readStoredTree } from "../repository/index.ts";
import { TreeFiles } from "../tree/index.ts";

/** The file's text; undefined when the image has none. */
export function rootConfigurationText(repository: Repository, imageId: string): string | undefined {
  const { root } = readStoredTree(repository, repository.images.resolve(imageId));
  const files = new TreeFiles(root, (objectId) => repository.objects.read(objectId));
  if (files.resolve(ROOT_CONFIGURATION_PATH) === undefined) return undefined;
  return Buffer.from(files.read(ROOT_CONFIGURATION_PATH)).toString("utf8");
}

/** @throws SealrootError `corrupt` for a file that the boot program would refuse */
export function rootConfigurationOf(repository: Repository, imageId: string): RootConfiguration {
  return parseRootConfiguration(rootConfigurationText(repository, imageId));
}

/** False where changes of `/etc` end with the boot: none are possible, or they are in memory. */
export function keepsEtc(repository: Repository, imageId: string): boolean {
  const { etc } = rootConfigurationOf(repository, imageId);
  return etc === "bind" || etc === "overlay";
}
