/** The JSON documents of an image and their strict reading (OCI image specification: descriptor, manifest, index, config). */
import * as v from "valibot";
import { SealrootError } from "../errors/index.ts";
import { digestOf, isDigest } from "./digest.ts";
import { DOCKER_MEDIA_TYPE, MEDIA_TYPE } from "./media-types.ts";

/** Largest manifest, index or config that is read; registries commonly stop at 4 MiB. */
export const DOCUMENT_MAX_BYTES = 8 << 20;

const digest = v.pipe(v.string(), v.check(isDigest, "is not sha256:<hex> or sha512:<hex>"));
const texts = v.record(v.string(), v.string());

// Unknown fields stay (looseObject): a document that is changed and written back must not lose anything.
const platformSchema = v.looseObject({
  architecture: v.string(),
  os: v.string(),
  variant: v.optional(v.string()),
});

/** A document that is a manifest to one reader and an index to another is refused (CVE-2021-41190). */
const foreign = v.optional(v.never("makes it ambiguous: it belongs to the other kind of document"));

const descriptorSchema = v.looseObject({
  mediaType: v.pipe(v.string(), v.nonEmpty()),
  digest,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  annotations: v.optional(texts),
  platform: v.optional(platformSchema),
  artifactType: v.optional(v.string()),
});

/** This one is not worth refusing: Docker's manifests are recognised by the type of the document. */
const dockerConfigSchema = v.looseObject({ ...descriptorSchema.entries, mediaType: v.optional(v.string(), "") });

const manifestSchema = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.literal(MEDIA_TYPE.manifest)),
  artifactType: v.optional(v.string()),
  config: descriptorSchema,
  layers: v.array(descriptorSchema),
  manifests: foreign,
  subject: v.optional(descriptorSchema),
  annotations: v.optional(texts),
});

const dockerManifestSchema = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.literal(DOCKER_MEDIA_TYPE.manifest)),
  config: dockerConfigSchema,
  layers: v.array(descriptorSchema),
  manifests: foreign,
});

/** As {@link readIndex} reads it. A Docker manifest list has the fields of an index. */
export const indexSchema = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.picklist([MEDIA_TYPE.index, DOCKER_MEDIA_TYPE.list])),
  manifests: v.array(descriptorSchema),
  config: foreign,
  layers: foreign,
  annotations: v.optional(texts),
});

const historySchema = v.looseObject({
  created: v.optional(v.string()),
  created_by: v.optional(v.string()),
  comment: v.optional(v.string()),
  empty_layer: v.optional(v.boolean()),
});

const configSchema = v.looseObject({
  // The specification demands both; images without them exist nonetheless.
  architecture: v.optional(v.string()),
  os: v.optional(v.string()),
  variant: v.optional(v.string()),
  created: v.optional(v.string()),
  config: v.optional(v.looseObject({ Labels: v.optional(texts) })),
  rootfs: v.looseObject({ type: v.literal("layers"), diff_ids: v.array(digest) }),
  history: v.optional(v.array(historySchema)),
});

export type Platform = v.InferOutput<typeof platformSchema>;
export type Descriptor = v.InferOutput<typeof descriptorSchema>;
export type ImageManifest = v.InferOutput<typeof manifestSchema>;
export type DockerManifest = v.InferOutput<typeof dockerManifestSchema>;
export type ImageIndex = v.InferOutput<typeof indexSchema>;
export type ImageConfig = v.InferOutput<typeof configSchema>;

/** The lists in these documents. Go writes null for an empty one. */
const LISTS: ReadonlySet<string> = new Set(["layers", "manifests", "diff_ids", "Layers", "entries"]);

/** The specification has no null: it means an empty list, or absent. */
function withoutNull(key: string, value: unknown): unknown {
  if (value !== null) return value;
  return LISTS.has(key) ? [] : undefined;
}

/**
 * Reads a JSON document that has a schema.
 * @param what names its kind in errors, `path` the document
 * @throws SealrootError `corrupt` when it is not JSON or a field is missing or of the wrong kind
 */
export function readJson<S extends v.GenericSchema>(
  schema: S,
  bytes: Uint8Array,
  what: string,
  path: string,
): v.InferOutput<S> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes), withoutNull);
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot read ${what}: it is not JSON`, { path }, error);
  }
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const where = v.getDotPath(issue) ?? "the document";
  throw new SealrootError("corrupt", `Cannot read ${what}: ${where}: ${issue.message}`, { path });
}

/**
 * Reads an image manifest.
 * @param path names the document in errors, such as its digest
 * @throws SealrootError `corrupt` when it is not JSON or a field is missing or of the wrong kind
 */
export function readManifest(bytes: Uint8Array, path: string): ImageManifest {
  return readJson(manifestSchema, bytes, "image manifest", path);
}

/** Reads a Docker manifest (version 2, schema 2); as {@link readManifest}. */
export function readDockerManifest(bytes: Uint8Array, path: string): DockerManifest {
  return readJson(dockerManifestSchema, bytes, "Docker manifest", path);
}

/** Reads an image index, or a Docker manifest list; as {@link readManifest}. */
export function readIndex(bytes: Uint8Array, path: string): ImageIndex {
  return readJson(indexSchema, bytes, "image index", path);
}

/** Reads an image configuration; as {@link readManifest}. */
export function readConfig(bytes: Uint8Array, path: string): ImageConfig {
  return readJson(configSchema, bytes, "image configuration", path);
}

/** The descriptor of a document in memory. */
export function describeDocument(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** The bytes as which a document made here is stored and hashed: compact JSON in the order of its keys. */
export function documentBytes(document: object): Uint8Array {
  return Buffer.from(JSON.stringify(document), "utf8");
}
