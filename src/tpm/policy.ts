/** Policy digests of a TPM, by which it releases secrets (TPM 2.0 Library, part 3, 23). */
import { createHash } from "node:crypto";
import type { PcrBank } from "./register.ts";

/** TPM_CC_PolicyPCR (part 2, 6.5.2). */
const POLICY_PCR = 0x0000017f;
/** TPM_ALG_ID (part 2, 6.3). */
const ALGORITHM: Readonly<Record<PcrBank, number>> = { sha1: 0x0004, sha256: 0x000b, sha384: 0x000c, sha512: 0x000d };
/** sizeofSelect: 24 registers, a bit each (part 2, 10.6.2; PC Client Platform TPM Profile). */
const SELECTION_BYTES = 3;
/** The policy session is one of SHA-256, whatever the bank (systemd, tpm2-util.c). */
const SESSION_BANK = "sha256";

/**
 * The digest of a policy that wants one register to have a value: TPM2_PolicyPCR in a new session of SHA-256
 * (part 3, 23.7). systemd-measure signs it, and TPM2_PolicyAuthorize accepts it by that signature.
 */
export function pcrPolicyDigest(pcr: number, bank: PcrBank, value: Uint8Array): Uint8Array {
  const selection = Buffer.alloc(4 + 2 + 1 + SELECTION_BYTES);
  // TPML_PCR_SELECTION with one TPMS_PCR_SELECTION (part 2, 10.9.7), big-endian as everything in a TPM.
  selection.writeUInt32BE(1, 0);
  selection.writeUInt16BE(ALGORITHM[bank], 4);
  selection.writeUInt8(SELECTION_BYTES, 6);
  const offset = 7 + Math.floor(pcr / 8);
  selection.writeUInt8(1 << (pcr % 8), offset);
  const command = Buffer.alloc(4);
  command.writeUInt32BE(POLICY_PCR);
  const before = Buffer.alloc(createHash(SESSION_BANK).digest().length);
  const pcrDigest = createHash(SESSION_BANK).update(value).digest();
  return createHash(SESSION_BANK).update(before).update(command).update(selection).update(pcrDigest).digest();
}
