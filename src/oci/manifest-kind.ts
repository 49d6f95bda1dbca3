/** What kind of document a manifest is, when only the document itself can say. */
import { SealrootError } from "../errors/index.ts";
import { DOCKER_MEDIA_TYPE, MEDIA_TYPE } from "./media-types.ts";

/**
 * The media type of a manifest or index: what it says itself; OCI's types may omit that and are recognised by their
 * fields (OCI image specification, manifest.md and image-index.md, "mediaType").
 *
 * @param path names the document in errors
 * @throws SealrootError `corrupt` for anything but such a document, `unsupported` for Docker's first schema
 */
export function manifestMediaType(bytes: Uint8Array, path: string): string {
  const { mediaType, schemaVersion, manifests, config, layers } = jsonObject(bytes, path);
  if (typeof mediaType === "string") return mediaType;
  if (schemaVersion === 1) {
    const what = `Cannot read manifest ${path}: manifests of Docker's first schema are not supported`;
    throw new SealrootError("unsupported", what, { path, hint: "copy it with skopeo copy --format oci" });
  }
  if (isList(manifests)) return MEDIA_TYPE.index;
  if (typeof config !== "object" || config === null || !isList(layers)) {
    throw new SealrootError("corrupt", `Cannot read manifest ${path}: it is neither a manifest nor an index`, { path });
  }
  const isDocker = "mediaType" in config && config.mediaType === DOCKER_MEDIA_TYPE.config;
  return isDocker ? DOCKER_MEDIA_TYPE.manifest : MEDIA_TYPE.manifest;
}

/** Go writes null for an empty one. */
function isList(value: unknown): boolean {
  return Array.isArray(value) || value === null;
}

function jsonObject(bytes: Uint8Array, path: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot read manifest ${path}: it is not JSON`, { path }, error);
  }
  if (typeof json === "object" && json !== null) return json as Readonly<Record<string, unknown>>;
  throw new SealrootError("corrupt", `Cannot read manifest ${path}: it is not an object`, { path });
}
