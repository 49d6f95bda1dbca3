/** Writing one image to a destination: blobs, configuration, manifest (spec/chunked-and-policy.md 4.4). */
import { SealrootError } from "../../errors/index.ts";
import type { EventSink } from "../../events/index.ts";
import { type Descriptor, describeDocument, documentBytes, MEDIA_TYPE, once } from "../../oci/index.ts";
import type { ImageDestination } from "./destination.ts";
import type { ImageContent } from "./image-content.ts";
import type { OpenDestinationOptions } from "./open-destination.ts";
import type { LayerPacking } from "./pack-layer.ts";
import { type WrittenLayer, writeLayers } from "./write-layers.ts";

export interface WriteOptions {
  /**
   * How layers are packed; each as its manifest says if absent. Blobs that are already packed like that stay unchanged.
   */
  readonly packing?: LayerPacking | undefined;
  /** Refuse anything that would change the manifest's digest. */
  readonly preserveDigests?: boolean | undefined;
  readonly events: EventSink;
}

/** How an image is written, and how its destination is opened. */
export type PushOptions = Partial<WriteOptions> & OpenDestinationOptions;

/** What was written. */
export interface WrittenContent {
  /** Of the manifest at the destination. */
  readonly descriptor: Descriptor;
  /** Digest of the manifest at the source; the same when it was written byte for byte. */
  readonly sourceDigest: string;
  readonly layers: readonly WrittenLayer[];
}

/**
 * Writes the image; the destination stays open.
 *
 * If every layer ends up as the blob its manifest names, the manifest is written byte for byte. Otherwise only the
 * descriptors of the layers change. The configuration, and so the image's id, never changes.
 *
 * @param role see {@link ImageDestination.putManifest}
 * @throws SealrootError `corrupt` when a layer does not have its digest or diff id; `conflict` when the digest must be
 *   preserved and cannot be
 */
export async function writeImage(
  content: ImageContent,
  destination: ImageDestination,
  role: "named" | "part",
  options: WriteOptions,
): Promise<WrittenContent> {
  const { config } = content.manifest;
  const layers = await writeLayers(content.layers, destination, options.packing, options.events);
  const manifest = manifestWith(content, layers);
  const isVerbatim = manifest.descriptor.digest === content.sourceDigest;
  if (!isVerbatim && options.preserveDigests === true) throw digestWouldChange(content, manifest.descriptor);
  if (!(await destination.hasBlob(config))) {
    await destination.putBlob({ name: config, open: () => once(content.configBytes) });
  }
  await destination.putManifest(manifest.descriptor, manifest.bytes, role);
  return { descriptor: manifest.descriptor, sourceDigest: content.sourceDigest, layers };
}

function manifestWith(
  content: ImageContent,
  layers: readonly WrittenLayer[],
): { readonly descriptor: Descriptor; readonly bytes: Uint8Array } {
  const { descriptor, manifest, manifestBytes } = content;
  if (layers.every((layer, index) => layer.descriptor.digest === manifest.layers[index]?.digest)) {
    return { descriptor, bytes: manifestBytes };
  }
  const bytes = documentBytes({ ...manifest, layers: layers.map((layer) => layer.descriptor) });
  return {
    descriptor: { ...descriptor, ...describeDocument(MEDIA_TYPE.manifest, bytes) },
    bytes,
  };
}

function digestWouldChange(content: ImageContent, written: Descriptor): SealrootError {
  const expected = content.sourceDigest;
  const what = `Cannot write image ${expected}: its manifest has to be another one, with another digest`;
  return new SealrootError("conflict", what, {
    expected,
    actual: written.digest,
    hint: "leave out --preserve-digests; image copy from where it was pulled keeps them",
  });
}
