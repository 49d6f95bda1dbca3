/** Headers of encrypted volumes, which nobody signs, as the boot program judges them. */
import assert from "node:assert/strict";
import { LUKS_CIPHER, LUKS_HEADER_BYTES, readLuksVolume } from "../../../src/bootplan/index.ts";
import { luksHeader, METADATA, placeHeader } from "../../bootplan/luks-header.ts";
import { type FuzzTarget, refusalOfSync } from "../target.ts";

/** Both headers and nothing behind them. */
const BOTH_BYTES = 0x8000;

function both(second: object): Uint8Array {
  return placeHeader(luksHeader(METADATA), 0x4000, second, { isSecond: true, sequence: 9n }).slice(0, BOTH_BYTES);
}

export const luksTarget: FuzzTarget = {
  name: "luks",
  corpus: () => {
    const bound = { ...METADATA.tokens, "1": { type: "systemd-tpm2", keyslots: ["1"] } };
    const keyslots = { ...METADATA.keyslots, "1": METADATA.keyslots["0"] };
    const plain = { "0": { ...METADATA.segments["0"], encryption: "cipher_null-ecb" } };
    return [
      both(METADATA),
      both({ ...METADATA, keyslots, tokens: bound }),
      both({ ...METADATA, segments: plain }),
      luksHeader(METADATA).slice(0, BOTH_BYTES / 2),
    ];
  },
  run(input) {
    const read = refusalOfSync(() => readLuksVolume(input));
    if ("refusal" in read) return false;
    const { cipher, sectorBytes, dataOffsetBytes, slots } = read.value;
    assert.equal(cipher, LUKS_CIPHER);
    assert.ok([512, 1024, 2048, 4096].includes(sectorBytes));
    assert.ok(dataOffsetBytes >= 4096 && dataOffsetBytes <= LUKS_HEADER_BYTES);
    assert.ok(slots.every(({ number }, index) => index === 0 || number > (slots[index - 1]?.number ?? -1)));
    return true;
  },
};
