/** Choosing one image of those a source has, and reading its documents (spec/oci.md 2). */
import { SealrootError } from "../errors/index.ts";
import { digestOf } from "./digest.ts";
import { ociManifestOfDocker } from "./docker-manifest.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageManifest,
  type Platform,
  readConfig,
  readIndex,
  readManifest,
} from "./documents.ts";
import type { ImageSource } from "./image-source.ts";
import { REF_NAME_ANNOTATION } from "./layout.ts";
import { DOCKER_MEDIA_TYPE, MEDIA_TYPE } from "./media-types.ts";
import { formatReference, type ImageReference } from "./reference.ts";

/** Manifest and configuration of an image, checked against their digests and each other. */
export interface ReadImage {
  readonly descriptor: Descriptor;
  /** Digest of the manifest at its source: another one than the descriptor's when it is one of Docker's. */
  readonly storedDigest: string;
  readonly manifest: ImageManifest;
  /** The verbatim documents. */
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
  /** Undefined for an artifact, whose configuration is of its own kind. */
  readonly config: ImageConfig | undefined;
}

/** Go's names of architectures, which OCI uses, by Node's (OCI image specification, config.md; GOARCH). */
const ARCHITECTURE_OF_NODE: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

/** The platform this program runs on, in OCI's words. */
export function runningPlatform(): Platform {
  return { os: process.platform, architecture: ARCHITECTURE_OF_NODE[process.arch] ?? process.arch };
}

/**
 * The platform that `OS/ARCHITECTURE[/VARIANT]` means.
 * @throws SealrootError `usage`
 */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text);
  const [, os, architecture, variant] = match ?? [];
  if (os === undefined || architecture === undefined) {
    throw new SealrootError("usage", `Cannot read platform: "${text}" is not OS/ARCHITECTURE`, {
      hint: "write it as linux/amd64, or linux/arm/v7",
    });
  }
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

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
  for (const descriptor of await enterIndexes(source, platform)) {
    images.push(await readImage(descriptor, source, configAtHand));
  }
  const containers = images.filter((image) => image.config !== undefined);
  const candidates = uniqueImages(containers.length > 0 ? containers : images);
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  const matching = candidates.filter((image) => isFor(platform, image));
  const [match] = matching;
  if (match !== undefined && matching.length === 1) return match;
  const wanted = `${platform.os}/${platform.architecture}`;
  const found = candidates.map((image) => `${image.config?.os}/${image.config?.architecture}`).join(", ");
  if (matching.length === 0) {
    const what = `Cannot open image ${formatReference(reference)}: none of its images is for ${wanted}`;
    throw new SealrootError("not-found", what, { expected: wanted, actual: found });
  }
  throw new SealrootError("usage", `Cannot open image ${formatReference(reference)}: it is one of ${matching.length}`, {
    path: "path" in reference ? reference.path : formatReference(reference),
    hint: `name one by its tag: ${tagsOf(source).join(", ") || "(none has a tag)"}`,
  });
}

function tagsOf(source: ImageSource): string[] {
  return source.index.manifests.flatMap((entry) => entry.annotations?.[REF_NAME_ANNOTATION] ?? []);
}

async function enterIndexes(source: ImageSource, platform: Platform): Promise<Descriptor[]> {
  const manifests: Descriptor[] = [];
  for (const descriptor of source.index.manifests) {
    if (!isIndex(descriptor)) {
      manifests.push(descriptor);
      continue;
    }
    const inner = readIndex(await source.readManifest(descriptor), descriptor.digest);
    if (inner.manifests.some(isIndex)) {
      throw new SealrootError("unsupported", `Cannot open image index ${descriptor.digest}: it contains another index`);
    }
    // Those for other platforms stay unread: a layout may hold the blobs of one platform only.
    const fitting = inner.manifests.filter(
      (entry) => entry.platform === undefined || samePlatform(entry.platform, platform),
    );
    manifests.push(...(fitting.length > 0 ? fitting : inner.manifests));
  }
  return manifests;
}

function isIndex(descriptor: Descriptor): boolean {
  return descriptor.mediaType === MEDIA_TYPE.index || descriptor.mediaType === DOCKER_MEDIA_TYPE.list;
}

/** The manifest and its descriptor; one of Docker's becomes OCI's here, and has another digest from then on. */
async function readOciManifest(stored: Descriptor, source: ImageSource) {
  if (stored.mediaType === MEDIA_TYPE.manifest) {
    return { descriptor: stored, manifestBytes: await source.readManifest(stored) };
  }
  if (stored.mediaType !== DOCKER_MEDIA_TYPE.manifest) {
    const what = `Cannot open image ${stored.digest}: media type "${stored.mediaType}" is not an OCI manifest`;
    throw new SealrootError("unsupported", what, { hint: "copy it with skopeo copy --format oci" });
  }
  const manifestBytes = ociManifestOfDocker(await source.readManifest(stored), stored.digest);
  const { length: size } = manifestBytes;
  const descriptor = { ...stored, mediaType: MEDIA_TYPE.manifest, digest: digestOf(manifestBytes), size };
  return { descriptor, manifestBytes };
}

type ConfigAtHand = (digest: string) => Promise<Uint8Array | undefined>;

async function readImage(stored: Descriptor, source: ImageSource, configAtHand: ConfigAtHand): Promise<ReadImage> {
  const { descriptor, manifestBytes } = await readOciManifest(stored, source);
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
  return { descriptor, storedDigest: stored.digest, manifest, manifestBytes, configBytes, config };
}

function uniqueImages(images: readonly ReadImage[]): ReadImage[] {
  return [...new Map(images.map((image) => [image.descriptor.digest, image])).values()];
}

function isFor(platform: Platform, image: ReadImage): boolean {
  const own = image.descriptor.platform ?? image.config;
  return own !== undefined && samePlatform(own, platform);
}

function samePlatform(one: Pick<Platform, "os" | "architecture">, other: Platform): boolean {
  return one.os === other.os && one.architecture === other.architecture;
}
