/** One image in a layout, chosen by tag and platform (spec/oci.md 2). */
import { SealrootError } from "../errors/index.ts";
import { OciArchive } from "./archive.ts";
import type { BlobReader } from "./blobs.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  type Platform,
  readConfig,
  readIndex,
  readManifest,
} from "./documents.ts";
import { OciLayout, REF_NAME_ANNOTATION } from "./layout.ts";
import { MEDIA_TYPE } from "./media-types.ts";
import { formatReference, type ImageReference } from "./reference.ts";

/** An image whose manifest and configuration have been read and checked against their digests. */
export interface OpenedImage {
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  /** The verbatim documents. */
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
  /** Undefined for an artifact, whose configuration is of its own kind. */
  readonly config: ImageConfig | undefined;
  readonly blobs: BlobReader;
  close(): Promise<void>;
}

/** Go's names of architectures, which OCI uses, by Node's (OCI image specification, config.md; GOARCH). */
const ARCHITECTURE_OF_NODE: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

/** The platform this program runs on, in OCI's words. */
export function runningPlatform(): Platform {
  return { os: process.platform, architecture: ARCHITECTURE_OF_NODE[process.arch] ?? process.arch };
}

/**
 * Opens the image a reference names. The caller closes it.
 *
 * An image index is entered one level. Of several images the one for `platform` is taken; a single image is taken
 * whatever its platform, so that images can be sealed on a machine of another kind.
 *
 * @throws SealrootError `not-found` naming the tags there are, `usage` when several images remain, `unsupported` for
 *   nested indexes, `corrupt` for documents that are not what their digests or formats say
 */
export async function openImage(reference: ImageReference, platform = runningPlatform()): Promise<OpenedImage> {
  const opened = await openBlobs(reference);
  try {
    const image = await chooseImage(opened.index, opened.blobs, reference, platform);
    return { ...image, blobs: opened.blobs, close: opened.close };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

interface OpenedBlobs {
  readonly index: ImageIndex;
  readonly blobs: BlobReader;
  close(): Promise<void>;
}

async function openBlobs(reference: ImageReference): Promise<OpenedBlobs> {
  if (reference.transport === "oci") {
    const layout = await OciLayout.open(reference.path);
    return { index: await layout.readIndex(), blobs: layout.blobs, close: async () => {} };
  }
  const archive = await OciArchive.open(reference.path);
  try {
    const index = readIndex(await archive.readDocument("index.json"), `${reference.path}/index.json`);
    return { index, blobs: archive, close: () => archive.close() };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

type Image = Omit<OpenedImage, "blobs" | "close">;

async function chooseImage(
  index: ImageIndex,
  blobs: BlobReader,
  reference: ImageReference,
  platform: Platform,
): Promise<Image> {
  const tagged = withTag(index, reference);
  const images: Image[] = [];
  for (const descriptor of await enterIndexes(tagged, blobs, platform)) images.push(await readImage(descriptor, blobs));
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
    path: reference.path,
    hint: `name one by its tag: ${tagsOf(index).join(", ") || "(none has a tag)"}`,
  });
}

function tagsOf(index: ImageIndex): string[] {
  return index.manifests.flatMap((entry) => entry.annotations?.[REF_NAME_ANNOTATION] ?? []);
}

function withTag(index: ImageIndex, reference: ImageReference): Descriptor[] {
  const tag = reference.tag;
  const found = index.manifests.filter(
    (entry) => tag === undefined || entry.annotations?.[REF_NAME_ANNOTATION] === tag,
  );
  if (found.length > 0) return found;
  const problem = tag === undefined ? "it is empty" : `it has no image with the tag "${tag}"`;
  throw new SealrootError("not-found", `Cannot open image ${formatReference(reference)}: ${problem}`, {
    path: reference.path,
    hint: `the tags there are: ${tagsOf(index).join(", ") || "(none)"}`,
  });
}

async function enterIndexes(
  descriptors: readonly Descriptor[],
  blobs: BlobReader,
  platform: Platform,
): Promise<Descriptor[]> {
  const manifests: Descriptor[] = [];
  for (const descriptor of descriptors) {
    if (descriptor.mediaType !== MEDIA_TYPE.index) {
      manifests.push(descriptor);
      continue;
    }
    const inner = readIndex(await blobs.readWhole(descriptor), descriptor.digest);
    if (inner.manifests.some((entry) => entry.mediaType === MEDIA_TYPE.index)) {
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

async function readImage(descriptor: Descriptor, blobs: BlobReader): Promise<Image> {
  if (descriptor.mediaType !== MEDIA_TYPE.manifest) {
    const what = `Cannot open image ${descriptor.digest}: media type "${descriptor.mediaType}" is not an OCI manifest`;
    throw new SealrootError("unsupported", what, { hint: "copy it with skopeo copy --format oci" });
  }
  const manifestBytes = await blobs.readWhole(descriptor);
  const manifest = readManifest(manifestBytes, descriptor.digest);
  const configBytes = await blobs.readWhole(manifest.config);
  const isImage = manifest.config.mediaType === MEDIA_TYPE.config;
  const config = isImage ? readConfig(configBytes, manifest.config.digest) : undefined;
  if (config !== undefined && config.rootfs.diff_ids.length !== manifest.layers.length) {
    const counts = `${manifest.layers.length} layers, ${config.rootfs.diff_ids.length} diff ids`;
    throw new SealrootError(
      "corrupt",
      `Cannot open image ${descriptor.digest}: manifest and configuration disagree: ${counts}`,
    );
  }
  return { descriptor, manifest, manifestBytes, configBytes, config };
}

function uniqueImages(images: readonly Image[]): Image[] {
  return [...new Map(images.map((image) => [image.descriptor.digest, image])).values()];
}

function isFor(platform: Platform, image: Image): boolean {
  const own = image.descriptor.platform ?? image.config;
  return own !== undefined && samePlatform(own, platform);
}

function samePlatform(one: Pick<Platform, "os" | "architecture">, other: Platform): boolean {
  return one.os === other.os && one.architecture === other.architecture;
}
