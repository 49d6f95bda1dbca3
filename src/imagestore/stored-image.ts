/** Images in a repository: reading and writing the streams of manifests and configurations (spec/oci.md 1). */
import { corrupt, SealrootError } from "../errors/index.ts";
import {
  DOCUMENT_MAX_BYTES,
  digestLike,
  type ImageConfig,
  type ImageManifest,
  type LayerPlace,
  layerPlaces,
  MEDIA_TYPE,
  readConfig,
  readManifest,
} from "../oci/index.ts";
import type { Repository } from "../repository/index.ts";
import { readChunks, readSplitStream, SplitStreamWriter } from "../splitstream/index.ts";
import { CONTENT_TYPE, configReferenceName, configStreamName, isImageKey, manifestStreamName } from "./stream-names.ts";

/** A configuration in the repository. */
export interface StoredConfig {
  readonly digest: string;
  /** Object id of its stream. */
  readonly streamId: string;
  readonly bytes: Uint8Array;
  /** Undefined for an artifact's configuration. */
  readonly config: ImageConfig | undefined;
  /** Diff ids (for an artifact: blob digests) to the object ids of their streams. */
  readonly layers: ReadonlyMap<string, string>;
  /** Keys such as `composefs.image.v1` to EROFS image ids. */
  readonly images: ReadonlyMap<string, string>;
}

/** A manifest and its configuration. */
export interface StoredImage extends StoredConfig {
  readonly manifestDigest: string;
  readonly manifestStreamId: string;
  readonly manifestBytes: Uint8Array;
  readonly manifest: ImageManifest;
  /** What the manifest's stream refers to by name: the configuration's stream and those of the layers. */
  readonly manifestRefs: ReadonlyMap<string, string>;
}

/** A JSON document's stream: the one object with its bytes, and its named references. */
interface StoredDocument {
  readonly streamId: string;
  readonly bytes: Uint8Array;
  readonly refs: ReadonlyMap<string, string>;
}

async function readDocument(
  repository: Repository,
  streamId: string,
  contentType: string,
  digest: string,
): Promise<StoredDocument> {
  const stream = readSplitStream(repository.objects.read(streamId), { algorithm: repository.algorithm, contentType });
  const parts: Uint8Array[] = [];
  await readChunks(stream, {
    inline: () => {
      throw corrupt(`Cannot read stream ${streamId}: the document is not an object of its own`);
    },
    external: (objectId) => {
      if (parts.length > 0) throw corrupt(`Cannot read stream ${streamId}: it has several documents, expected one`);
      parts.push(readBounded(repository, objectId));
    },
  });
  const [bytes] = parts;
  if (bytes === undefined) throw corrupt(`Cannot read stream ${streamId}: it has no document`);
  const actual = digestLike(digest, bytes);
  if (actual !== digest) {
    throw corrupt(`Cannot read stream ${streamId}: its document has the digest ${actual}, expected ${digest}`, {
      expected: digest,
      actual,
      hint: "pull the image again",
    });
  }
  return { streamId, bytes, refs: stream.namedRefs };
}

/**
 * Reads a configuration by its digest; undefined when the repository has none.
 * @param isImage false for an artifact's configuration, which is not interpreted
 * @throws SealrootError `corrupt` when the bytes do not have the digest
 */
export async function readStoredConfig(
  repository: Repository,
  digest: string,
  isImage = true,
): Promise<StoredConfig | undefined> {
  const streamId = repository.streams.find(configStreamName(digest));
  if (streamId === undefined) return undefined;
  const { bytes, refs } = await readDocument(repository, streamId, CONTENT_TYPE.config, digest);
  const split = (wanted: boolean) => new Map([...refs].filter(([name]) => isImageKey(name) === wanted));
  return {
    digest,
    streamId,
    bytes,
    config: isImage ? readConfig(bytes, digest) : undefined,
    layers: split(false),
    images: split(true),
  };
}

/**
 * Reads an image by the digest of its manifest; undefined when the repository has none.
 * @throws SealrootError `corrupt` when manifest or configuration do not have their digests, or one is missing
 */
export async function readStoredImage(
  repository: Repository,
  manifestDigest: string,
): Promise<StoredImage | undefined> {
  const manifestStreamId = repository.streams.find(manifestStreamName(manifestDigest));
  if (manifestStreamId === undefined) return undefined;
  const document = await readDocument(repository, manifestStreamId, CONTENT_TYPE.manifest, manifestDigest);
  const manifest = readManifest(document.bytes, manifestDigest);
  const isImage = manifest.config.mediaType === MEDIA_TYPE.config;
  const config = await readStoredConfig(repository, manifest.config.digest, isImage);
  if (config === undefined) {
    const what = `Cannot read image ${manifestDigest}: its configuration ${manifest.config.digest} is not in the repository`;
    throw new SealrootError("corrupt", what, { hint: "pull the image again" });
  }
  const { bytes: manifestBytes, refs: manifestRefs } = document;
  return { ...config, manifestDigest, manifestStreamId, manifestBytes, manifest, manifestRefs };
}

/** What a tree is made from. With the manifest, errors name layers by their blobs. */
export interface LayeredConfig extends Pick<StoredConfig, "digest" | "config" | "layers"> {
  readonly manifest?: ImageManifest;
}

/** A layer of an image in the repository. */
export interface StoredLayerRef {
  /** Object id of its stream. */
  readonly layerId: string;
  readonly place: LayerPlace;
}

/** The layers of an image in the order of its diff ids; one may occur twice. */
export function storedLayers({ digest, config, layers, manifest }: LayeredConfig): StoredLayerRef[] {
  const diffIds = config?.rootfs.diff_ids ?? [...layers.keys()];
  const blobs = manifest?.layers.map((blob) => blob.digest);
  const places = layerPlaces(blobs?.length === diffIds.length ? blobs : diffIds, config);
  return places.map((place, index) => {
    const diffId = diffIds[index] ?? "";
    const layerId = layers.get(diffId);
    if (layerId !== undefined) return { layerId, place };
    throw corrupt(`Cannot read configuration ${digest}: it does not refer to its layer ${diffId}`);
  });
}

/**
 * Stores a configuration: its bytes as an object, and a stream with references to layers and images. It has no name yet.
 * @returns the object id of the stream
 */
export function storeConfig(
  repository: Repository,
  config: Pick<StoredConfig, "bytes" | "layers" | "images">,
): Promise<string> {
  return storeDocument(repository, CONTENT_TYPE.config, config.bytes, [...config.layers, ...config.images]);
}

/** Stores a manifest, as {@link storeConfig}. `streamId` is that of the configuration. */
export function storeManifest(
  repository: Repository,
  image: Pick<StoredImage, "manifestBytes" | "manifest" | "streamId" | "layers">,
): Promise<string> {
  const refs: [string, string][] = [[configReferenceName(image.manifest.config), image.streamId], ...image.layers];
  return storeDocument(repository, CONTENT_TYPE.manifest, image.manifestBytes, refs);
}

/** A stream that is one object, whatever its size, and names others, in the given order (spec/oci.md 6, end). */
async function storeDocument(
  repository: Repository,
  contentType: string,
  bytes: Uint8Array,
  refs: readonly (readonly [string, string])[],
): Promise<string> {
  const writer = new SplitStreamWriter(repository.algorithm, contentType);
  writer.external(repository.objects.ensure(bytes), bytes.length);
  for (const [name, objectId] of refs) writer.nameRef(name, objectId);
  return repository.objects.ensure(await writer.finish());
}

function readBounded(repository: Repository, objectId: string): Uint8Array {
  using object = repository.objects.open(objectId);
  if (object.sizeBytes <= DOCUMENT_MAX_BYTES) return object.bytes();
  throw new SealrootError("unsupported", `Cannot read document ${objectId}: ${object.sizeBytes} bytes are too many`);
}
