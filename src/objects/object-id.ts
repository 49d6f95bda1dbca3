/** What an object is called: the fs-verity digest of its bytes, in hex. */
import { isLowerHex } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { DIGEST_BYTES, type VerityAlgorithm } from "../verity/index.ts";

/** True for a lower-case hex digest of the algorithm's length. */
export function isObjectId(text: string, algorithm: VerityAlgorithm): boolean {
  return text.length === 2 * DIGEST_BYTES[algorithm] && isLowerHex(text);
}

/** @throws SealrootError `usage` unless `text` is an object id of the algorithm */
export function requireObjectId(text: string, algorithm: VerityAlgorithm): string {
  if (isObjectId(text, algorithm)) return text;
  throw new SealrootError("usage", `Cannot use "${text}" as an object id: it is not a ${algorithm} digest in hex`);
}
