/** Detecting that a repository has everything a pull would bring. */

import type { OpenedImage } from "../../images/index.ts";
import type { ErofsVersion, Repository } from "../../repository/index.ts";
import type { BootRule } from "../../tree/index.ts";
import { readStoredImage, type StoredConfig } from "../stored-image.ts";
import { storedVersion } from "../stored-version.ts";
import { configReferenceName, type ImageVariant, imageKey } from "../stream-names.ts";
import { planLayers } from "./layer-plan.ts";

/** What is there. Ids by EROFS version, for each version of the repository; none for an artifact. */
export interface UnchangedImage {
  /** Object id of the manifest's stream. */
  readonly manifestStreamId: string;
  readonly imageIds: ReadonlyMap<ErofsVersion, string>;
  /** Of the last requested boot variant. */
  readonly bootImageIds: ReadonlyMap<ErofsVersion, string>;
}

/**
 * Finds an image that an earlier pull completed: its documents under their digests, a stream for each layer, an object
 * and a name for each EROFS image. Whether all file bodies are there is left to fsck.
 *
 * The reference makes the image again each time it is pulled (spec/oci.md 2). As the same layers give the same image,
 * this only saves time.
 *
 * @param known the image's configuration as left by an earlier pull
 * @param bootVariants those requested
 * @returns undefined when anything is missing
 */
export async function findUnchanged(
  repository: Repository,
  image: OpenedImage,
  known: StoredConfig | undefined,
  bootVariants: readonly BootRule[],
): Promise<UnchangedImage | undefined> {
  if (known === undefined) return undefined;
  const plan = planLayers(repository, image, { known, complete: false });
  if (plan.present.size < plan.layers.length) return undefined;
  const stored = await readStoredImage(repository, image.descriptor.digest);
  // An interrupted pull may have renewed the configuration's stream but not yet the manifest's.
  if (stored?.manifestRefs.get(configReferenceName(known)) !== known.streamId) return undefined;
  const { manifestStreamId } = stored;
  if (image.config === undefined) return { manifestStreamId, imageIds: new Map(), bootImageIds: new Map() };
  const imageIds = findImages(repository, known, { bootable: false, keepUserXattrs: false });
  const bootIds = bootVariants.map((variant) => findImages(repository, known, { bootable: true, ...variant }));
  if (imageIds === undefined || bootIds.includes(undefined)) return undefined;
  return { manifestStreamId, imageIds, bootImageIds: bootIds.at(-1) ?? new Map() };
}

/** The images of one variant; undefined if that of any version of the repository is missing. */
function findImages(
  repository: Repository,
  { images }: StoredConfig,
  variant: Omit<ImageVariant, "version">,
): Map<ErofsVersion, string> | undefined {
  const found = new Map<ErofsVersion, string>();
  for (const version of [repository.formats.default, ...repository.formats.extra]) {
    const id = images.get(imageKey({ version, ...variant }));
    if (id === undefined || repository.images.find(id) !== id || storedVersion(repository, id) !== version) {
      return undefined;
    }
    found.set(version, id);
  }
  return found;
}
