/**
 * What bootc wrote beside an origin file that names no manifest: manifest and configuration of the deployment's image, as one
 * JSON document (spec/host.md 1.3). Read only; nobody writes it any more.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, corrupt, hasErrno, SealrootError } from "../errors/index.ts";
import { DOCUMENT_MAX_BYTES, type ImageConfig, type ImageManifest, readConfig, readManifest } from "../oci/index.ts";
import { stateDirectory } from "./paths.ts";

export interface LegacyImageInfo {
  /**
   * SHA-256 hex of the manifest as it is written here, without `sha256:`: what bootc shows. The image has another digest in
   * its registry unless that had the same bytes.
   */
  readonly digest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

/**
 * @returns undefined when there is none
 * @throws SealrootError `corrupt` for a file that is not one
 */
export function readLegacyImageInfo(physicalRoot: string, deploymentId: string): LegacyImageInfo | undefined {
  const path = join(physicalRoot, stateDirectory(deploymentId), `${deploymentId}.imginfo`);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw asSealrootError(error, "Cannot read what image the deployment is of", { path });
  }
  const { manifest, config } = parse(bytes, path);
  const document = Buffer.from(JSON.stringify(manifest));
  return {
    digest: createHash("sha256").update(document).digest("hex"),
    manifest: readManifest(document, path),
    config: readConfig(Buffer.from(JSON.stringify(config)), path),
  };
}

function parse(bytes: Buffer, path: string): { readonly manifest: unknown; readonly config: unknown } {
  if (bytes.length > 2 * DOCUMENT_MAX_BYTES)
    throw corrupt(`Cannot read ${path}: ${bytes.length} bytes are too many`, { path });
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot read ${path}: it is not JSON`, { path }, error);
  }
  if (typeof value !== "object" || value === null || !("manifest" in value) || !("config" in value)) {
    throw corrupt(`Cannot read ${path}: it has no manifest and configuration`, { path });
  }
  return { manifest: value.manifest, config: value.config };
}
