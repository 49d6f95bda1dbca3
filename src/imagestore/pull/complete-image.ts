/** Completing an image of which objects are missing, with as little as possible fetched and made again. */
import { corrupt, SealrootError } from "../../errors/index.ts";
import type { EventSink } from "../../events/index.ts";
import type { OpenedImage } from "../../images/index.ts";
import { MEDIA_TYPE } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import { readStoredImage, type StoredImage } from "../stored-image.ts";
import { configReferenceName, manifestStreamName } from "../stream-names.ts";
import { planLayers } from "./layer-plan.ts";
import { pullLayers } from "./pull-layers.ts";
import { recordImage } from "./record-image.ts";

/**
 * True when nothing of an image is missing: its documents, everything its layers need, all EROFS images recorded with it
 * and those that are asked for. Contents are not read.
 *
 * @param imageIds EROFS images that the image must have
 */
export async function isWholeImage(
  repository: Repository,
  manifestDigest: string,
  imageIds: readonly string[] = [],
): Promise<boolean> {
  const stored = await storedIfReadable(repository, manifestDigest);
  return stored !== undefined && hasLayers(repository, stored) && hasImages(repository, stored, imageIds);
}

/**
 * An image to complete from what the repository has: its layers are whole, and only EROFS images or names are missing.
 * @returns undefined when a layer or a document must be fetched
 */
export async function imageWithoutSource(
  repository: Repository,
  manifestDigest: string,
): Promise<OpenedImage | undefined> {
  const stored = await storedIfReadable(repository, manifestDigest);
  if (stored === undefined || !hasLayers(repository, stored)) return undefined;
  const { manifest, manifestBytes, config, bytes: configBytes } = stored;
  const mediaType = manifest.mediaType ?? MEDIA_TYPE.manifest;
  const descriptor = { mediaType, digest: manifestDigest, size: manifestBytes.length };
  const refuse = () => {
    throw corrupt(`Cannot read a blob of ${manifestDigest}: its layers were whole a moment ago`);
  };
  return {
    ...{ descriptor, manifest, manifestBytes, config, configBytes, indexes: [], unpacked: undefined, remote: false },
    original: { descriptor, manifestBytes },
    blobs: { read: refuse, readWhole: refuse },
    close: async () => {},
  };
}

/**
 * Fetches the layers that lack anything. EROFS images and documents are made again only when one of them is missing.
 *
 * @param imageIds EROFS images that the image must have
 * @throws SealrootError as pullLayers and recordImage; `conflict` when the layers do not give these EROFS images
 */
export async function completeImage(
  repository: Repository,
  image: OpenedImage,
  imageIds: readonly string[],
  events: EventSink,
): Promise<void> {
  const { digest } = image.descriptor;
  const stored = await storedIfReadable(repository, digest);
  if (stored !== undefined && hasImages(repository, stored, imageIds)) {
    const pulled = await pullLayers(repository, image, { known: stored, complete: true, events });
    const isSame = [...pulled.layers].every(([diffId, streamId]) => stored.layers.get(diffId) === streamId);
    if (isSame) return;
  }
  // Their names say which boot images to make, should the configuration that recorded them be lost.
  repository.images.register(imageIds.map((objectId) => ({ entry: objectId, objectId })));
  await recordImage(repository, image, { bootVariants: [], restore: true, events });
  const missing = imageIds.find((id) => !repository.objects.has(id));
  if (missing === undefined) return;
  throw new SealrootError("conflict", `Cannot make the boot image ${missing}: the layers of ${digest} give others`, {
    expected: missing,
    hint: "the deployment was made of another image than its origin file says",
  });
}

async function storedIfReadable(repository: Repository, manifestDigest: string): Promise<StoredImage | undefined> {
  try {
    const stored = await readStoredImage(repository, manifestDigest);
    return stored?.manifestRefs.get(configReferenceName(stored)) === stored?.streamId ? stored : undefined;
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}

function hasLayers(repository: Repository, stored: StoredImage): boolean {
  const plan = planLayers(repository, stored, { known: stored, complete: true });
  return plan.present.size === plan.layers.length;
}

function hasImages(repository: Repository, stored: StoredImage, imageIds: readonly string[]): boolean {
  const isNamed = repository.streams.find(manifestStreamName(stored.manifestDigest)) !== undefined;
  const ids = [...stored.images.values(), ...imageIds];
  return isNamed && ids.every((id) => repository.objects.has(id) && repository.images.find(id) === id);
}
