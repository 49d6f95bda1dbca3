/** What a signature says: the "simple signing" document (spec/chunked-and-policy.md 2.1, 2.3). */
import { isDigest } from "../oci/index.ts";
import { Fields } from "./fields.ts";
import { parseStrictJson } from "./strict-json.ts";

/** Of cosign signatures, and of OpenPGP signatures. */
export type PayloadType = "cosign container image signature" | "atomic container signature";

export interface SignedStatement {
  readonly manifestDigest: string;
  /** The name the signer gave the image. */
  readonly dockerReference: string;
}

const WHAT = "signature payload";

/**
 * Reads a payload whose signature has been verified.
 *
 * Exactly the members of the format, none twice: a payload that another reader could understand differently is refused.
 * `optional` does not decide anything.
 *
 * @throws SealrootError `corrupt`
 */
export function readPayload(bytes: Uint8Array, type: PayloadType): SignedStatement {
  const payload = Fields.of(parseStrictJson(bytes, WHAT), WHAT);
  payload.exactly(["critical", "optional"]);
  const critical = payload.inner("critical");
  critical.exactly(["type", "image", "identity"]);
  if (critical.text("type") !== type) throw critical.refused("type", `is not "${type}"`);
  const image = critical.inner("image");
  image.exactly(["docker-manifest-digest"]);
  const manifestDigest = image.text("docker-manifest-digest");
  if (!isDigest(manifestDigest)) throw image.refused("docker-manifest-digest", "is not a digest");
  const identity = critical.inner("identity");
  identity.exactly(["docker-reference"]);
  checkOptional(payload);
  return { manifestDigest, dockerReference: identity.text("docker-reference") };
}

function checkOptional(payload: Fields): void {
  if (payload.value("optional") === null) return;
  const optional = payload.inner("optional");
  if (optional.has("creator") && typeof optional.value("creator") !== "string") {
    throw optional.refused("creator", "is not a string");
  }
  if (optional.has("timestamp")) optional.integer("timestamp");
}
