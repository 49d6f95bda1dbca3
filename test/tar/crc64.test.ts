import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Crc64 } from "../../src/tar/index.ts";

/** The definition, a bit at a time. */
function crc64ByBits(bytes: Uint8Array): string {
  let crc = 0xffff_ffff_ffff_ffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xd800_0000_0000_0000n : crc >> 1n;
  }
  return (crc ^ 0xffff_ffff_ffff_ffffn).toString(16).padStart(16, "0");
}

test("the values that tar-split files hold", () => {
  const hex = (base64: string) => Buffer.from(base64, "base64").toString("hex");
  assert.equal(new Crc64().update(Buffer.from("vector\n")).hexDigest(), hex("YV3MKGdyyzA="));
  assert.equal(new Crc64().update(Buffer.alloc(4096)).hexDigest(), hex("SS/DPJBv/5A="));
  assert.equal(new Crc64().update(Buffer.alloc(1023)).hexDigest(), hex("Kii/kAAAAAU="));
  assert.equal(new Crc64().hexDigest(), "0000000000000000");
});

test("property: in pieces or whole, as the definition has it", () => {
  const bytes = fc.uint8Array({ maxLength: 100 });
  fc.assert(
    fc.property(bytes, bytes, (first, second) => {
      const whole = Buffer.concat([first, second]);
      assert.equal(new Crc64().update(first).update(second).hexDigest(), crc64ByBits(whole));
      assert.equal(new Crc64().update(whole).hexDigest(), crc64ByBits(whole));
    }),
  );
});
