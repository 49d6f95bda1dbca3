/** Choosing one of a source's images, and reading its documents (spec/oci.md 2). */
import { SealrootError } from "../../errors/index.ts";
import type { ImageSource } from "../../oci/index.ts";
import {
  type Descriptor,
  DOCKER_MEDIA_TYPE,
  describeDocument,
  formatPlatform,
  formatReference,
  type ImageConfig,
  type ImageManifest,
  type ImageReference,
  MEDIA_TYPE,
  type Platform,
  platformRank,
  readConfig,
  readManifest,
} from "../../oci/index.ts";
import { ociManifestOfDocker, withOciConfig } from "./docker-manifest.ts";
import { type Candidate, enterIndexes } from "./enter-indexes.ts";

/** Manifest and configuration of an image, checked against their digests and each other. */
export interface ReadImage {
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  /** The verbatim documents. */
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
  /** Undefined for an artifact, whose configuration is of its own kind. */
  readonly config: ImageConfig | undefined;
  /** The source's document: different from the manifest if that was converted from Docker's. Signatures refer to it. */
  readonly original: { readonly descriptor: Descriptor; readonly manifestBytes: Uint8Array };
  /** The indexes through which the image was found, the outermost first. */
  readonly indexes: readonly Descriptor[];
}

/** An image for more than these is for everything. */
const PLATFORMS_SHOWN_MAX = 32;
/** Limit for all images that may be meant: their manifests and configurations are in memory until one is chosen. */
const DOCUMENTS_MAX_BYTES = 32 << 20;

/**
 * The image for `platform`; a single one whatever its platform.
 * @throws SealrootError as openImage
 */
export async function chooseImage(
  source: ImageSource,
  reference: ImageReference,
  platform: Platform,
  configAtHand: ConfigAtHand = async () => undefined,
): Promise<ReadImage> {
  const images: ReadImage[] = [];
  let documentsBytes = 0;
  const { candidates: entered, otherPlatforms } = await enterIndexes(source, platform);
  for (const candidate of entered) {
    const image = await readImage(candidate, source, configAtHand);
    images.push(image);
    documentsBytes += image.manifestBytes.length + image.configBytes.length;
    if (documentsBytes > DOCUMENTS_MAX_BYTES) throw tooManyImages(reference);
  }
  const containers = images.filter((image) => image.config !== undefined);
  const candidates = uniqueImages(containers.length > 0 ? containers : images);
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  const matching = bestFor(platform, candidates);
  const [match] = matching;
  if (match !== undefined && matching.length === 1) return match;
  const text = formatReference(reference);
  if (matching.length === 0) {
    const own = candidates.flatMap(({ descriptor, config }) => descriptor.platform ?? config ?? []);
    throw noneFor(platform, [...own, ...otherPlatforms], text);
  }
  const hint = hintToName(source, reference, matching);
  throw new SealrootError("usage", `Cannot open image ${text}: it is one of ${matching.length}`, {
    path: "path" in reference ? reference.path : text,
    ...(hint === undefined ? {} : { hint }),
  });
}

type SomePlatform = Parameters<typeof formatPlatform>[0];

function noneFor(platform: Platform, others: readonly SomePlatform[], text: string): SealrootError {
  const wanted = formatPlatform(platform);
  const there = [...new Set(others.filter(({ os }) => os !== "unknown").map(formatPlatform))].sort();
  const what = `Cannot open image ${text}: none of its images is for ${wanted}`;
  const choice = there[0] === undefined ? "" : `; choose one with --platform ${there[0]}`;
  return new SealrootError("not-found", what, {
    expected: wanted,
    actual: there.join(", ") || "(none)",
    hint: `there are ${there.slice(0, PLATFORMS_SHOWN_MAX).join(", ") || "none"}${choice}`,
  });
}

/** How to write which of several images is meant; undefined if there is no way. */
function hintToName(source: ImageSource, reference: ImageReference, images: readonly ReadImage[]): string | undefined {
  if (source.index.manifests.length > 1) {
    return source.names === undefined ? undefined : `name one by its tag: ${source.names.join(", ")}`;
  }
  if (reference.transport !== "docker") return undefined;
  const named = images.map(({ original }) => {
    return formatReference({ ...reference, tag: undefined, digest: original.descriptor.digest });
  });
  return `name one by its digest: ${named.join(", ")}`;
}

function tooManyImages(reference: ImageReference): SealrootError {
  const limit = `the documents of its images exceed ${DOCUMENTS_MAX_BYTES} bytes`;
  return new SealrootError("unsupported", `Cannot open image ${formatReference(reference)}: ${limit}`, {
    hint: "name one by its tag or digest",
  });
}

/**
 * The manifest and its descriptor. A Docker manifest is converted to OCI's here, which changes its digest; so is one
 * that is half Docker's, as other readers of the repository would take it for an artifact.
 */
function asOciManifest({ descriptor, manifestBytes }: ReadImage["original"]): ReadImage["original"] {
  const convert = descriptor.mediaType === MEDIA_TYPE.manifest ? withOciConfig : ociManifestOfDocker;
  const converted = convert(manifestBytes, descriptor.digest);
  if (converted === undefined) return { descriptor, manifestBytes };
  const described = describeDocument(MEDIA_TYPE.manifest, converted);
  return { descriptor: { ...descriptor, ...described }, manifestBytes: converted };
}

async function readOriginal(descriptor: Descriptor, source: ImageSource): Promise<ReadImage["original"]> {
  const { digest, mediaType } = descriptor;
  if (mediaType === MEDIA_TYPE.manifest || mediaType === DOCKER_MEDIA_TYPE.manifest) {
    return { descriptor, manifestBytes: await source.readManifest(descriptor) };
  }
  const what = `Cannot open image ${digest}: media type "${mediaType}" is not an OCI manifest`;
  const isConvertible = mediaType === DOCKER_MEDIA_TYPE.schema1 || mediaType === DOCKER_MEDIA_TYPE.signedSchema1;
  throw new SealrootError("unsupported", what, isConvertible ? { hint: "copy it with skopeo copy --format oci" } : {});
}

type ConfigAtHand = (digest: string) => Promise<Uint8Array | undefined>;

async function readImage(
  { descriptor: stored, indexes }: Candidate,
  source: ImageSource,
  configAtHand: ConfigAtHand,
): Promise<ReadImage> {
  const original = await readOriginal(stored, source);
  const { descriptor, manifestBytes } = asOciManifest(original);
  const manifest = readManifest(manifestBytes, descriptor.digest);
  const configBytes = (await configAtHand(manifest.config.digest)) ?? (await source.blobs.readWhole(manifest.config));
  const isImage = manifest.config.mediaType === MEDIA_TYPE.config;
  const config = isImage ? readConfig(configBytes, manifest.config.digest) : undefined;
  if (config !== undefined && config.rootfs.diff_ids.length !== manifest.layers.length) {
    const counts = `${manifest.layers.length} layers, ${config.rootfs.diff_ids.length} diff ids`;
    throw new SealrootError(
      "corrupt",
      `Cannot open image ${descriptor.digest}: manifest and configuration disagree: ${counts}`,
    );
  }
  return { descriptor, manifest, manifestBytes, configBytes, config, original, indexes };
}

function uniqueImages(images: readonly ReadImage[]): ReadImage[] {
  return [...new Map(images.map((image) => [image.descriptor.digest, image])).values()];
}

/** Those that fit the platform best; several if a source has several for it. */
function bestFor(platform: Platform, images: readonly ReadImage[]): ReadImage[] {
  const ranked = images.map((image) => {
    const own = image.descriptor.platform ?? image.config;
    return { image, rank: (own && platformRank(platform, own)) ?? Number.POSITIVE_INFINITY };
  });
  const best = Math.min(...ranked.map(({ rank }) => rank));
  return Number.isFinite(best) ? ranked.filter(({ rank }) => rank === best).map(({ image }) => image) : [];
}
