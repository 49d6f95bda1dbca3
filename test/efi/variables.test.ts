import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../src/bytes/index.ts";
import {
  BOOT_LOADER_VENDOR,
  efiTimeOf,
  encodeSignatureLists,
  guidBytes,
  guidOf,
  guidText,
  IMAGE_SECURITY_DATABASE_VENDOR,
  parseEfiTime,
  parseEfivarfs,
  parseSignatureLists,
  type SignatureEntry,
  utf16List,
  utf16Text,
} from "../../src/efi/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { failsWith } from "../pe/keys.ts";

const OWNER = guidOf("77fa9abd-0359-4d32-bd60-28f4e78f784b");

test("a GUID's first three fields are little-endian", () => {
  assert.equal(toHex(guidBytes(IMAGE_SECURITY_DATABASE_VENDOR)), "cbb219d73a3d9645a3bcdad00e67656f");
  assert.equal(guidText(guidBytes(BOOT_LOADER_VENDOR)), BOOT_LOADER_VENDOR);
  assert.equal(guidOf("4A67B082-0A4C-41CF-B6C7-440B29BB8C4F"), BOOT_LOADER_VENDOR);
});

test("guidText() leaves a Buffer as it was", () => {
  const bytes = Buffer.from(guidBytes(OWNER));
  const before = Buffer.from(bytes);
  guidText(bytes);
  assert.deepEqual(bytes, before);
});

test("guidOf() and guidText() refuse what is not a GUID", () => {
  for (const text of ["", "77fa9abd", "77fa9abd03594d32bd6028f4e78f784b", "77fa9abd-0359-4d32-bd60-28f4e78f784g"]) {
    assert.throws(() => guidOf(text), failsWith("usage", /^Cannot read GUID: /), text);
  }
  assert.throws(() => guidText(new Uint8Array(15)), failsWith("corrupt", /15 bytes, 16 wanted/));
});

test("an EFI time is UTC in whole seconds", () => {
  const moment = new Date("2026-11-23T08:09:10.987Z");
  assert.equal(toHex(efiTimeOf(moment)), "ea070b1708090a000000000000000000");
  assert.equal(parseEfiTime(efiTimeOf(moment)).toISOString(), "2026-11-23T08:09:10.000Z");
  assert.throws(
    () => efiTimeOf(new Date("+010000-01-01T00:00:00Z")),
    failsWith("usage", /outside the years 1900 to 9999/),
  );
  assert.throws(() => efiTimeOf(new Date(Number.NaN)), failsWith("usage", /Invalid Date/));
});

test("parseEfiTime() refuses dates that do not exist and fields that must be zero", () => {
  const cases = [
    "ea07041f08090a000000000000000000",
    "ea070b1708090a010000000000000000",
    "ea070b1718090a000000000000000000",
  ];
  for (const hex of [...cases, "ea070b1708090a000000000000000100", "00000000000000000000000000000000"]) {
    assert.throws(() => parseEfiTime(fromHex(hex)), failsWith("corrupt", /is not a plain UTC second/), hex);
  }
});

test("a signature list has the layout of UEFI 2.10, 32.4.1", () => {
  const bytes = encodeSignatureLists([{ type: "x509", owner: OWNER, data: Buffer.from("cert") }]);
  const expected = [
    "a159c0a5e494a74a87b5ab155c2bf072", // EFI_CERT_X509_GUID
    "30000000", // list of 48 bytes
    "00000000", // no header
    "14000000", // entries of 20 bytes
    "bd9afa775903324dbd6028f4e78f784b", // owner
    Buffer.from("cert").toString("hex"),
  ].join("");
  assert.equal(toHex(bytes), expected);
});

test("signature lists read back as they were written", () => {
  const guid = fc.uuid().map(guidOf);
  const entry: fc.Arbitrary<SignatureEntry> = fc.record({
    type: fc.oneof(fc.constant<"x509">("x509"), fc.constant<"sha256">("sha256"), guid),
    owner: guid,
    data: fc.uint8Array({ minLength: 1, maxLength: 80 }),
  });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
      const read = parseSignatureLists(encodeSignatureLists(entries));
      assert.deepEqual(
        read.map((one) => ({ ...one, data: toHex(one.data) })),
        entries.map((one) => ({ ...one, data: toHex(one.data) })),
      );
    }),
  );
});

test("parseSignatureLists() reads several entries of one list, and a list header", () => {
  const list = Buffer.concat([
    guidBytes(guidOf("c1c41626-504c-4092-aca9-41f936934328")),
    fromHex("60000000" + "04000000" + "20000000"),
    fromHex("deadbeef"),
    ...[1, 2].map((fill) => Buffer.concat([guidBytes(OWNER), Buffer.alloc(16, fill)])),
  ]);
  const entries = parseSignatureLists(list);
  assert.deepEqual(
    entries.map(({ type, owner, data }) => [type, owner, data[0]]),
    [
      ["sha256", OWNER, 1],
      ["sha256", OWNER, 2],
    ],
  );
});

test("parseSignatureLists() refuses sizes that do not add up", () => {
  const good = encodeSignatureLists([{ type: "x509", owner: OWNER, data: Buffer.from("cert") }]);
  const cases: readonly [name: string, offset: number, value: number, message: RegExp][] = [
    ["list shorter than its header", 16, 27, /27 bytes, header of 0, entries of 20/],
    ["list past the end", 16, 68, /40 bytes wanted|EFI signature list/],
    ["header longer than the list", 20, 40, /header of 40/],
    ["entries without data", 24, 16, /entries of 16/],
    ["entries that do not fill the list", 24, 19, /entries of 19/],
    ["entries of nothing", 24, 0, /entries of 0/],
  ];
  for (const [name, offset, value, message] of cases) {
    const bad = Buffer.from(good);
    bad.writeUInt32LE(value, offset);
    assert.throws(() => parseSignatureLists(bad), failsWith("corrupt", message), name);
  }
  assert.throws(() => parseSignatureLists(good.subarray(0, 30)), failsWith("corrupt", /EFI signature list/));
});

test("efivarfs contents and loader texts as seen on a booted system (spec/boot-chain.md I.4)", () => {
  const uuid = "5F34A71C-148C-A143-9FE6-A378EFB7E8AA";
  const content = Buffer.concat([fromHex("06000000"), Buffer.from(`${uuid}\0`, "utf16le")]);
  assert.equal(content.length, 78);
  const { attributes, data } = parseEfivarfs(content);
  assert.equal(attributes, 6);
  assert.equal(utf16Text(data), uuid);
  const entries = Buffer.from("bootc_debian-14-1.conf\0auto-reboot-to-firmware-setup\0", "utf16le");
  assert.deepEqual(utf16List(entries), ["bootc_debian-14-1.conf", "auto-reboot-to-firmware-setup"]);
  assert.deepEqual(utf16List(new Uint8Array(0)), []);
});

test("texts without their NUL, with a stray one or of odd length are refused", () => {
  assert.throws(() => utf16Text(Buffer.from("abc", "utf16le")), failsWith("corrupt", /not UTF-16 with a final NUL/));
  assert.throws(
    () => utf16Text(Buffer.from("a\0b\0", "utf16le")),
    failsWith("corrupt", /2 texts in 8 bytes, one wanted/),
  );
  assert.throws(() => utf16Text(Buffer.from([0x41, 0, 0])), failsWith("corrupt", /3 bytes are not UTF-16/));
  assert.throws(() => utf16Text(new Uint8Array(0)), failsWith("corrupt", /0 texts in 0 bytes/));
  assert.throws(() => parseEfivarfs(Buffer.from([6, 0])), failsWith("corrupt", /EFI variable/));
});

test("random bytes never crash a reader", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      for (const read of [parseSignatureLists, parseEfivarfs, utf16List, utf16Text, parseEfiTime, guidText]) {
        try {
          read(bytes);
        } catch (error) {
          assert.ok(error instanceof SealrootError);
        }
      }
    }),
  );
});
