/** The promise of a transparency log to keep a signature, "SignedEntryTimestamp" (spec/chunked-and-policy.md 2.1). */
import { createHash, type KeyObject } from "node:crypto";
import { Fields } from "./fields.ts";
import { readPem } from "./material.ts";
import { verifySignature } from "./public-key.ts";
import { parseStrictJson } from "./strict-json.ts";
import { rejected } from "./subject.ts";

/** What the entry of the log must be about. */
export interface LoggedSignature {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  /** DER of the key or certificate that made it. */
  readonly signer: Uint8Array;
}

const WHAT = "Rekor SET";

/**
 * Checks the promise against the keys of logs, any of which may have given it, and against its signature.
 * @returns when the log accepted the entry
 * @throws SealrootError `untrusted` when no key verifies it or it is about something else, `corrupt`
 */
export function verifyRekorSet(set: string, logKeys: readonly KeyObject[], logged: LoggedSignature): Date {
  const bundle = Fields.of(parseStrictJson(Buffer.from(set), WHAT), WHAT);
  bundle.exactly(["SignedEntryTimestamp", "Payload"]);
  const timestamp = bundle.base64("SignedEntryTimestamp");
  const payload = bundle.inner("Payload");
  payload.exactly(["body", "integratedTime", "logIndex", "logID"]);
  const integratedTime = payload.integer("integratedTime");
  const canonical = canonicalPayload(payload, integratedTime);
  if (!logKeys.some((key) => key.asymmetricKeyType === "ec" && verifySignature(key, canonical, timestamp))) {
    throw rejected("cryptographic signature verification of Rekor SET failed");
  }
  checkEntry(payload.base64("body"), logged);
  return new Date(integratedTime * 1000);
}

/** The four members as RFC 8785 writes them: sorted, compact. The strings are base64 and hex, which need no escapes. */
function canonicalPayload(payload: Fields, integratedTime: number): Uint8Array {
  const members = {
    body: payload.text("body"),
    integratedTime,
    logID: payload.text("logID"),
    logIndex: payload.integer("logIndex"),
  };
  return Buffer.from(JSON.stringify(members), "utf8");
}

/** The entry is a "hashedrekord" of version 0.0.1: hash of the payload, signature, key or certificate. */
function checkEntry(body: Uint8Array, logged: LoggedSignature): void {
  const entry = Fields.of(parseStrictJson(body, WHAT), WHAT);
  const [kind, version] = [entry.text("kind"), entry.text("apiVersion")];
  if (kind !== "hashedrekord" || version !== "0.0.1") throw rejected(`Rekor SET is for a ${kind} ${version}`);
  const spec = entry.inner("spec");
  const signature = spec.inner("signature");
  const [signer, ...more] = readPem(signature.inner("publicKey").base64("content"));
  if (signer === undefined || more.length > 0 || !Buffer.from(signer.der).equals(logged.signer)) {
    throw rejected("publicKey in Rekor SET does not match");
  }
  if (!Buffer.from(signature.base64("content")).equals(logged.signature)) {
    throw rejected("signature in Rekor SET does not match");
  }
  const hash = spec.inner("data").inner("hash");
  const expected = createHash("sha256").update(logged.payload).digest("hex");
  if (hash.text("algorithm") !== "sha256" || hash.text("value").toLowerCase() !== expected) {
    throw rejected("payload in Rekor SET does not match");
  }
}
