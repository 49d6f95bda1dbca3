/** Public keys of cosign signatures, and what they verify (spec/chunked-and-policy.md 2.1). */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { SealrootError } from "../errors/index.ts";
import { loadMaterial, readPem } from "./material.ts";
import type { Material } from "./requirements.ts";

/** A key that may vouch for an image. */
export interface VerificationKey {
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo, by which logs and hints identify the key. */
  readonly spki: Uint8Array;
  /** Where it comes from, for messages. */
  readonly origin: string;
}

/** Shorter RSA keys are within reach of attackers (BSI TR-02102-1, NIST SP 800-131A). */
const RSA_MIN_BITS = 2048;
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];

/**
 * The keys that a requirement names; any of them may have signed. One that cannot be read or used fails all.
 * @throws SealrootError `corrupt`, `unsupported`, or as the file system says
 */
export async function loadPublicKeys(material: Material): Promise<VerificationKey[]> {
  return (await loadMaterial(material)).map(({ bytes, origin }) => readPublicKey(bytes, origin));
}

/**
 * Reads `-----BEGIN PUBLIC KEY-----`.
 * @throws SealrootError `corrupt` for anything but one public key, `unsupported` for a kind that cannot sign here
 */
function readPublicKey(pem: Uint8Array, origin: string): VerificationKey {
  const blocks = readPem(pem);
  const [block] = blocks;
  // Node would also take a certificate or a private key here; neither is what the policy means.
  if (block === undefined || blocks.length > 1 || block.label !== "PUBLIC KEY") {
    throw new SealrootError("corrupt", `Cannot read the public key of ${origin}: it is not one PEM block PUBLIC KEY`, {
      path: origin,
    });
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(block.der), format: "der", type: "spki" });
  } catch (error) {
    throw new SealrootError(
      "corrupt",
      `Cannot read the public key of ${origin}: it is damaged`,
      { path: origin },
      error,
    );
  }
  assertUsable(key, origin);
  return { key, spki: key.export({ format: "der", type: "spki" }), origin };
}

function assertUsable(key: KeyObject, origin: string): void {
  if (isUsable(key)) return;
  const { namedCurve = "", modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType ?? "";
  const kind = type === "rsa" ? `RSA of ${modulusLength} bits` : `${type} ${namedCurve}`.trim();
  throw new SealrootError("unsupported", `Cannot use the public key of ${origin}: ${kind} is not accepted`, {
    path: origin,
    hint: "use ECDSA P-256, Ed25519, or RSA of at least 2048 bits",
  });
}

/** True for a kind of key that is accepted here. */
export function isUsable({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): boolean {
  const { namedCurve = "", modulusLength = 0 } = asymmetricKeyDetails;
  switch (asymmetricKeyType) {
    case "ed25519":
      return true;
    case "ec":
      return CURVES.includes(namedCurve);
    default:
      return asymmetricKeyType === "rsa" && modulusLength >= RSA_MIN_BITS;
  }
}

/**
 * Whether `signature` is one of `key` over `message`: ECDSA in DER or RSA PKCS #1 v1.5, both over SHA-256, or Ed25519 over
 * the message itself.
 */
export function verifySignature(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(key.asymmetricKeyType === "ed25519" ? null : "sha256", message, key, signature);
  } catch {
    // A signature that is not DER at all.
    return false;
  }
}
