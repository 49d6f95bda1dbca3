/** What a check of evidence is told. */
import type { SignatureDatabases } from "../keys/index.ts";
import type { Policy } from "../verify/index.ts";
import type { Evidence } from "./evidence.ts";

export interface EvidenceOptions {
  /** In place of the keys that the evidence states. */
  readonly keys: SignatureDatabases | undefined;
  readonly policy: Policy;
  /** In lower-case hex, which the quote must be about; undefined: any. */
  readonly nonce: string | undefined;
  /** SubjectPublicKeyInfo in DER of the key that must have signed; undefined: any. */
  readonly attestationKey: Uint8Array | undefined;
  /** Of what is at hand, collected now. */
  readonly atHand: Evidence | undefined;
}
