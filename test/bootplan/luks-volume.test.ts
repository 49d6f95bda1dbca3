import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRecoveryKey, normalizeSecret, readLuksVolume } from "../../src/bootplan/index.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import { luksHeader, METADATA, placeHeader } from "./luks-header.ts";

const segment = (changes: object) => ({ ...METADATA, segments: { "0": { ...METADATA.segments["0"], ...changes } } });

test("readLuksVolume() reads what encrypts the data, and what each key slot is for", () => {
  const slot = METADATA.keyslots["0"];
  const keyslots = {
    "1": { ...slot, kdf: { type: "pbkdf2", iterations: 1000 } },
    "3": { ...slot, kdf: { type: "argon2id", time: 4 } },
    "0": slot,
    "2": slot,
    "4": slot,
  };
  const tokens = {
    "0": { type: "systemd-recovery", keyslots: ["0"] },
    "5": { type: "systemd-tpm2", keyslots: ["2"] },
    "6": { type: "systemd-fido2", keyslots: ["4"] },
  };
  assert.deepEqual(readLuksVolume(luksHeader({ ...METADATA, keyslots, tokens })), {
    uuid: "11111111-2222-4333-8444-555555555555",
    cipher: "aes-xts-plain64",
    sectorBytes: 4096,
    dataOffsetBytes: 16777216,
    slots: [
      { number: 0, use: "recovery" },
      { number: 1, use: "open" },
      { number: 2, use: "tpm2" },
      { number: 3, use: "passphrase" },
      { number: 4, use: "token" },
    ],
  });
});

for (const [what, metadata, expected, actual] of [
  ["cipher", segment({ encryption: "cipher_null-ecb" }), "aes-xts-plain64", "cipher_null-ecb"],
  ["cipher", segment({ encryption: "aes-cbc-essiv:sha256" }), "aes-xts-plain64", "aes-cbc-essiv:sha256"],
  ["type of segment", segment({ type: "linear" }), "crypt", "linear"],
  ["size", segment({ size: "4096" }), "dynamic", "4096"],
  ["offset of initialisation vectors", segment({ iv_tweak: "8" }), "0", "8"],
  ["integrity", segment({ integrity: { type: "none" } }), "none", '{"type":"none"}'],
  ["flags", segment({ flags: ["in-reencryption"] }), "none", '["in-reencryption"]'],
  ["sector size", segment({ sector_size: 8192 }), "512, 1024, 2048, 4096", "8192"],
  ["offset of data", segment({ offset: "16781312" }), "16777216", "16781312"],
  ["offset of data", segment({ offset: 16777216 }), "16777216", "16777216"],
  ["number of segments", { ...METADATA, segments: { ...METADATA.segments, "1": {} } }, "1", "2"],
  [
    "requirements",
    { ...METADATA, config: { requirements: { mandatory: ["online-reencrypt"] } } },
    "none",
    '{"mandatory":["online-reencrypt"]}',
  ],
] as const) {
  test(`readLuksVolume() refuses a header with another ${what}: ${actual}`, () => {
    for (const bytes of [
      luksHeader(metadata),
      // As the second header alone, at any of its places, which cryptsetup takes when the first one is gone.
      placeHeader(new Uint8Array(16 << 20), 0x8000, metadata, { isSecond: true }),
      placeHeader(luksHeader(METADATA), 0x4000, metadata, { isSecond: true, sequence: 1n }),
    ]) {
      assert.throws(
        () => readLuksVolume(bytes),
        (error: SealrootError) => {
          assert.equal(error.code, "untrusted");
          assert.equal(error.message, `Cannot use the encrypted volume: its header has another ${what}`);
          assert.deepEqual([error.data.expected, error.data.actual], [expected, actual]);
          return true;
        },
      );
    }
  });
}

test("readLuksVolume() takes the newer of two headers", () => {
  const newer = { ...METADATA, keyslots: {}, tokens: {} };
  const both = placeHeader(luksHeader(METADATA), 0x4000, newer, { isSecond: true, sequence: 9n });
  assert.deepEqual(readLuksVolume(both).slots, []);
  const older = placeHeader(luksHeader(METADATA), 0x4000, newer, { isSecond: true, sequence: 1n });
  assert.equal(readLuksVolume(older).slots.length, 1);
});

test("readLuksVolume() refuses what is no LUKS2, and what cryptsetup might read otherwise", () => {
  assert.throws(() => readLuksVolume(new Uint8Array(0)), /there is none of LUKS2/);
  assert.throws(() => readLuksVolume(new Uint8Array(1 << 20)), /there is none of LUKS2/);
  assert.throws(() => readLuksVolume(luksHeader(METADATA).subarray(0, 4000)), /it ends early/);
  assert.throws(() => readLuksVolume(luksHeader(METADATA).subarray(0, 8192)), /it says that it has 16384 bytes/);
  assert.throws(() => readLuksVolume(placeHeader(new Uint8Array(1 << 20), 0, METADATA, { version: 1 })), /it is LUKS1/);
  const text = JSON.stringify(METADATA);
  for (const odd of [`/* */${text}`, text.replaceAll('"', "'"), "", "[]", "null", `${text}x`]) {
    assert.throws(
      () => readLuksVolume(luksHeader(odd)),
      /Cannot read the header of the volume: .* (?:no JSON|no object)/,
    );
  }
  for (const lacking of ["segments", "keyslots", "tokens", "config"]) {
    assert.throws(() => readLuksVolume(luksHeader({ ...METADATA, [lacking]: undefined })), { code: "corrupt" });
  }
  for (const number of ["x", "", "01", "32", "-1"]) {
    const keyslots = { [number]: METADATA.keyslots["0"] };
    assert.throws(() => readLuksVolume(luksHeader({ ...METADATA, keyslots })), /a key slot has no number/);
  }
  // Of two equal keys cryptsetup's parser takes the last one, as JSON.parse() does.
  const twice = text.replace('"encryption"', '"encryption":"aes-xts-plain64","encryption"');
  assert.equal(readLuksVolume(luksHeader(twice)).cipher, "aes-xts-plain64");
  assert.throws(() => readLuksVolume(luksHeader(text.replace("aes-xts-plain64", "aes-xts-plain64\\u0000"))), {
    code: "untrusted",
  });
});

test("formatRecoveryKey() writes modhex as systemd does; normalizeSecret() reads it however it was typed", () => {
  const key = formatRecoveryKey(Uint8Array.from({ length: 32 }, (_, index) => index));
  assert.equal(key, "cccbcdce-cfcgchci-cjckclcn-crctcucv-bcbbbdbe-bfbgbhbi-bjbkblbn-brbtbubv");
  assert.match(key, /^(?:[cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}$/);
  assert.equal(formatRecoveryKey(new Uint8Array(32)), Array(8).fill("cccccccc").join("-"));
  assert.equal(formatRecoveryKey(new Uint8Array(32).fill(0xff)), Array(8).fill("vvvvvvvv").join("-"));
  for (const typed of [key, key.toUpperCase(), key.replaceAll("-", ""), key.replaceAll("-", " "), ` ${key}\t`]) {
    assert.equal(normalizeSecret(typed), key, typed);
  }
  for (const other of ["", "a passphrase", key.slice(1), `${key}c`, key.replace(/^./, "a")]) {
    assert.equal(normalizeSecret(other), other);
  }
  assert.throws(() => formatRecoveryKey(new Uint8Array(31)), /32 bytes/);
});
