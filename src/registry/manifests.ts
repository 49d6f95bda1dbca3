/** Reading manifests and indexes of a repository (OCI distribution specification, "Pulling manifests"). */
import { SealrootError } from "../errors/index.ts";
import { checkDigest, DOCKER_MEDIA_TYPE, digestOf, isDigest, MEDIA_TYPE, manifestMediaType } from "../oci/index.ts";
import type { RegistryClient } from "./client.ts";
import { type HttpResponse, wholeBody } from "./http-response.ts";

/** Registries take no larger manifests (OCI distribution specification, "Pushing manifests"). */
const MANIFEST_MAX_BYTES = 4 << 20;

/**
 * All types that are understood, as some registries answer 404 to a client that does not name theirs; the old ones too,
 * so that they can be refused by name.
 */
const ACCEPTED = [
  ...[MEDIA_TYPE.manifest, DOCKER_MEDIA_TYPE.manifest, DOCKER_MEDIA_TYPE.list, MEDIA_TYPE.index],
  ...[DOCKER_MEDIA_TYPE.signedSchema1, DOCKER_MEDIA_TYPE.schema1],
].join(", ");

/** Types that say nothing: the document itself decides. */
const VAGUE = new Set(["", "text/plain", "application/json", "application/octet-stream"]);

/** A manifest or an index as it is in the registry. */
export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** Of the bytes, computed. */
  readonly digest: string;
  /** The version of what is under the tag, if the registry gives one that can be compared (RFC 9110 section 8.8.3). */
  readonly etag: string | undefined;
}

/** What a registry says about a manifest without sending it. */
export interface ManifestHead {
  readonly mediaType: string;
  /** As the registry says; undefined if it does not say. */
  readonly digest: string | undefined;
  readonly sizeBytes: number | undefined;
}

/**
 * Reads a manifest or an index.
 *
 * @param reference a tag or a digest
 * @throws SealrootError as RegistryClient.request; `corrupt` when the bytes do not have the requested or announced
 *   digest, or the announced type; `unsupported` above {@link MANIFEST_MAX_BYTES}
 */
export async function getManifest(client: RegistryClient, reference: string): Promise<FetchedManifest> {
  const name = manifestName(client, reference);
  const response = await client.request("GET", `manifests/${reference}`, {
    headers: { accept: ACCEPTED },
    action: `Cannot read manifest ${name}`,
  });
  const bytes = await wholeBody(response, MANIFEST_MAX_BYTES, () => manifestTooLarge(name));
  const digest = checkedDigest(bytes, reference, name, response.headers["docker-content-digest"]);
  const { etag } = response.headers;
  const mediaType = mediaTypeOf(bytes, response, name);
  return { bytes, digest, mediaType, etag: etag?.startsWith('"') === true ? etag : undefined };
}

/** As {@link getManifest}; undefined when there is none. */
export async function findManifest(client: RegistryClient, reference: string): Promise<FetchedManifest | undefined> {
  try {
    return await getManifest(client, reference);
  } catch (error) {
    if (error instanceof SealrootError && error.code === "not-found") return undefined;
    throw error;
  }
}

/** Asks for a manifest without reading it; undefined when there is none. @throws SealrootError as getManifest */
export async function headManifest(client: RegistryClient, reference: string): Promise<ManifestHead | undefined> {
  const response = await client.request("HEAD", `manifests/${reference}`, {
    headers: { accept: ACCEPTED },
    expect: [200, 404],
    action: `Cannot look for manifest ${manifestName(client, reference)}`,
  });
  response.discard();
  if (response.status === 404) return undefined;
  const length = response.headers["content-length"];
  const digest = response.headers["docker-content-digest"];
  return {
    mediaType: announcedType(response),
    digest: typeof digest === "string" && isDigest(digest) ? digest : undefined,
    sizeBytes: length === undefined ? undefined : Number(length),
  };
}

function manifestName(client: RegistryClient, reference: string): string {
  return `${client.name}${isDigest(reference) ? "@" : ":"}${reference}`;
}

function manifestTooLarge(name: string): SealrootError {
  const what = `Cannot read manifest ${name}: it has more than ${MANIFEST_MAX_BYTES} bytes`;
  return new SealrootError("unsupported", what, { path: name });
}

/**
 * The requested digest is binding; the header is advice, and may use another algorithm (spec/chunked-and-policy.md
 * 4.2).
 */
function checkedDigest(bytes: Uint8Array, reference: string, name: string, header: unknown): string {
  const digest = digestOf(bytes);
  if (typeof header === "string" && header.startsWith("sha256:") && header !== digest) {
    const what = `Cannot accept manifest ${name}: its digest is ${digest}, the registry announced ${header}`;
    throw new SealrootError("corrupt", what, { path: name, expected: header, actual: digest });
  }
  if (!isDigest(reference)) return digest;
  checkDigest(bytes, reference, `manifest ${name}`);
  return reference;
}

function announcedType(response: HttpResponse): string {
  return (response.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

/** A type that a registry announces must be the one the document has (spec/chunked-and-policy.md 4.2). */
function mediaTypeOf(bytes: Uint8Array, response: HttpResponse, name: string): string {
  const announced = announcedType(response);
  const own = manifestMediaType(bytes, name);
  if (VAGUE.has(announced) || own === announced) return own;
  const { mediaType: declared }: { mediaType?: unknown } = JSON.parse(Buffer.from(bytes).toString("utf8"));
  // OCI's documents need not say it, and their fields are those of Docker's too.
  if (declared === undefined) return announced;
  const what = `Cannot read manifest ${name}: it was announced as ${announced} and is ${own}`;
  throw new SealrootError("corrupt", what, { path: name, expected: announced, actual: own });
}
