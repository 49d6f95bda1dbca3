/** Which EROFS images were made from the same OCI image, as `cfsctl oci linked-erofs-images` reports it. */
import { SealrootError } from "../errors/index.ts";
import type { ErofsVersion, Repository } from "../repository/index.ts";
import type { BootTimes } from "../tree/index.ts";
import { readStoredImage, type StoredImage } from "./stored-image.ts";
import { storedVersion } from "./stored-version.ts";
import { MANIFEST_STREAM_PREFIX, parseImageKey } from "./stream-names.ts";

export interface LinkedImage {
  readonly id: string;
  readonly bootable: boolean;
  readonly version: ErofsVersion;
  /** For a bootable one. */
  readonly keepUserXattrs: boolean;
  readonly bootTimes: BootTimes;
}

/**
 * All EROFS images of the OCI images that one EROFS image was made from, tagged or not: plain ones first, then the boot
 * variants. A deployment may own several: none may be removed while it exists.
 *
 * @param id of any of them
 * @throws SealrootError `not-found` when no image in the repository has it
 */
export async function linkedImages(repository: Repository, id: string): Promise<LinkedImage[]> {
  const linked = new Map<string, LinkedImage>();
  for (const { entry } of repository.streams.entries()) {
    if (!entry.startsWith(MANIFEST_STREAM_PREFIX)) continue;
    const image = await readableImage(repository, entry.slice(MANIFEST_STREAM_PREFIX.length));
    if (image === undefined || ![...image.images.values()].includes(id)) continue;
    for (const [key, imageId] of image.images) {
      const variant = parseImageKey(key);
      if (variant === undefined) continue;
      const version = storedVersion(repository, imageId) ?? variant.version;
      linked.set(`${key} ${imageId}`, { ...variant, id: imageId, version });
    }
  }
  if (linked.size === 0) {
    throw new SealrootError("not-found", `Cannot find the image ${id}: no OCI image in the repository has it`, {
      path: repository.path,
      hint: "sealroot image list and sealroot image inspect show the images there are",
    });
  }
  // Version 2, the oldest, comes first, as with the reference tool.
  return [...linked]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, image]) => image)
    .sort(plainFirst);
}

function plainFirst(a: LinkedImage, b: LinkedImage): number {
  return Number(a.bootable) - Number(b.bootable);
}

/** Undefined when its documents cannot be read, which fsck reports. */
async function readableImage(repository: Repository, manifestDigest: string): Promise<StoredImage | undefined> {
  try {
    return await readStoredImage(repository, manifestDigest);
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}
