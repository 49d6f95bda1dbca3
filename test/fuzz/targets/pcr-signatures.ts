/** Signed policies: `.pcrsig` of a UKI, and what signers give back. */
import assert from "node:assert/strict";
import { formatPcrSignatures, parsePcrSignatures } from "../../../src/tpm/index.ts";
import { savedCorpus } from "../corpus.ts";
import { type FuzzTarget, refusalOfSync } from "../target.ts";

const ENTRY = { pcrs: [11], pkfp: "0".repeat(64), pol: "f".repeat(64), sig: "AAAA" };

export const pcrSignaturesTarget: FuzzTarget = {
  name: "pcr-signatures",
  corpus: () => [
    Buffer.from(formatPcrSignatures({ sha1: [ENTRY], sha256: [ENTRY, { ...ENTRY, pcrs: [4, 11] }] })),
    Buffer.from("{}\0\0"),
    ...savedCorpus("pcr-signatures"),
  ],
  run(input) {
    const parsed = refusalOfSync(() => parsePcrSignatures(input, "the input"));
    if ("refusal" in parsed) return false;
    assert.deepEqual(parsePcrSignatures(Buffer.from(formatPcrSignatures(parsed.value)), "it again"), parsed.value);
    return true;
  },
};
