import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../src/bytes/index.ts";
import {
  addVariables,
  eraseVariables,
  GLOBAL_VARIABLE_VENDOR,
  guidOf,
  parseSignatureLists,
  readVariableStore,
  type StoredVariable,
  secureBootVariables,
} from "../../src/efi/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { failsWith } from "../pe/keys.ts";

const OVMF_DIRECTORY = "/usr/share/OVMF";
const VENDOR = guidOf("77fa9abd-0359-4d32-bd60-28f4e78f784b");
const NOW = new Date("2026-11-23T08:09:10Z");
/** Where the first variable is in OVMF's 4M layout, and where its store ends (spec/boot-chain.md C). */
const FIRST_VARIABLE = 0x64;
const STORE_END = 0x40000;

function ovmf(name: string): Buffer {
  const path = `${OVMF_DIRECTORY}/${name}`;
  if (!existsSync(path)) throw new Error(`${path} is missing: apt-get install ovmf`);
  return readFileSync(path);
}

const BLANK = ovmf("OVMF_VARS_4M.fd");
const PLAIN: StoredVariable = {
  name: "Timeout",
  vendor: GLOBAL_VARIABLE_VENDOR,
  attributes: 7,
  data: Buffer.from([5, 0, 9]),
};

test("the blank store of OVMF holds nothing, the one with Microsoft's keys enforces", () => {
  assert.deepEqual(readVariableStore(BLANK), []);
  const enrolled = new Map(readVariableStore(ovmf("OVMF_VARS_4M.ms.fd")).map((one) => [one.name, one]));
  assert.equal(enrolled.get("SecureBootEnable")?.data[0], 1);
  assert.equal(enrolled.get("PK")?.vendor, GLOBAL_VARIABLE_VENDOR);
  assert.equal(enrolled.get("db")?.attributes, 0x27);
  const certificates = parseSignatureLists(enrolled.get("db")?.data ?? new Uint8Array(0));
  assert.deepEqual(
    certificates.map(({ type, owner }) => [type, owner]),
    [
      ["x509", "77fa9abd-0359-4d32-bd60-28f4e78f784b"],
      ["x509", "77fa9abd-0359-4d32-bd60-28f4e78f784b"],
    ],
  );
});

test("eraseVariables() makes a blank store of one that was written to, of AAVMF's too, whose own blank file has none", () => {
  const aavmf = (name: string) => readFileSync(`/usr/share/AAVMF/${name}`);
  for (const written of [ovmf("OVMF_VARS_4M.ms.fd"), aavmf("AAVMF_VARS.ms.fd")]) {
    assert.ok(readVariableStore(written).length > 0);
    const erased = eraseVariables(written);
    assert.deepEqual(readVariableStore(erased), []);
    assert.equal(erased.length, written.length);
    assert.ok(erased.subarray(FIRST_VARIABLE, STORE_END).every((byte) => byte === 0xff));
    const store = addVariables(erased, [PLAIN]);
    assert.deepEqual(
      readVariableStore(store).map(({ name }) => name),
      ["Timeout"],
    );
    for (const [start, end] of [
      [0, FIRST_VARIABLE],
      [STORE_END, written.length],
    ] as const) {
      assert.equal(Buffer.compare(erased.subarray(start, end), written.subarray(start, end)), 0);
    }
  }
  assert.throws(() => eraseVariables(aavmf("AAVMF_VARS.fd")), { code: "corrupt" });
});

test("addVariables() writes records byte for byte as the firmware does", () => {
  const store = addVariables(BLANK, [PLAIN]);
  assert.equal(store.length, BLANK.length);
  const record = [
    "aa55", // start
    "3f00", // added
    "07000000", // attributes
    "0000000000000000", // monotonic count
    "00".repeat(16), // time stamp
    "00000000", // key index
    "10000000", // name: 8 characters with NUL
    "03000000", // data
    "61dfe48bca93d211aa0d00e098032b8c", // vendor
    Buffer.from("Timeout\0", "utf16le").toString("hex"),
    "050009",
    "ff", // padding
  ].join("");
  assert.equal(toHex(store.subarray(FIRST_VARIABLE, FIRST_VARIABLE + record.length / 2)), record);
  const rest = Buffer.from(store);
  BLANK.copy(rest, FIRST_VARIABLE, FIRST_VARIABLE, FIRST_VARIABLE + record.length / 2);
  assert.ok(rest.equals(BLANK), "bytes outside the record changed");
});

test("addVariables() stamps authenticated variables with their time", () => {
  const [db] = secureBootVariables({ PK: [], KEK: [], db: [Buffer.from("certificate")] }, VENDOR, NOW);
  assert.ok(db);
  const store = addVariables(BLANK, [db]);
  assert.equal(toHex(store.subarray(FIRST_VARIABLE + 16, FIRST_VARIABLE + 32)), "ea070b1708090a000000000000000000");
  const { name, vendor, attributes, data } = db;
  assert.deepEqual(
    readVariableStore(store).map((one) => ({ ...one, data: toHex(one.data) })),
    [{ name, vendor, attributes, data: toHex(data) }],
  );
  const noTime: StoredVariable = { name, vendor, attributes, data };
  assert.throws(() => addVariables(BLANK, [noTime]), failsWith("usage", /variable db: it needs a time stamp/));
});

test("variables read back as they were added, in both layouts of OVMF and after one another", () => {
  const variable = fc.record({
    name: fc.stringMatching(/^[A-Za-z][A-Za-z0-9 ]{0,20}$/),
    vendor: fc.uuid().map(guidOf),
    attributes: fc.constantFrom(3, 7),
    data: fc.uint8Array({ maxLength: 100 }),
  });
  for (const template of [BLANK, ovmf("OVMF_VARS.fd")]) {
    const before = Buffer.from(template);
    fc.assert(
      fc.property(
        fc.uniqueArray(variable, { maxLength: 6, selector: (one) => `${one.name}-${one.vendor}` }),
        (variables) => {
          const half = variables.length >> 1;
          const store = addVariables(addVariables(template, variables.slice(0, half)), variables.slice(half));
          const read = readVariableStore(store).map((one) => ({ ...one, data: toHex(one.data) }));
          const existing = readVariableStore(template).length;
          assert.deepEqual(
            read.slice(existing),
            variables.map((one) => ({ ...one, data: toHex(one.data) })),
          );
        },
      ),
      { numRuns: 20 },
    );
    assert.ok(template.equals(before), "the template was changed");
  }
});

test("addVariables() refuses what exists and what does not fit", () => {
  const store = addVariables(BLANK, [PLAIN]);
  assert.throws(
    () => addVariables(store, [PLAIN]),
    failsWith("conflict", /Timeout-8be4df61-.*: the store already has it/),
  );
  assert.throws(() => addVariables(BLANK, [PLAIN, PLAIN]), failsWith("conflict", /Timeout/));
  const free = STORE_END - FIRST_VARIABLE;
  const fits = { ...PLAIN, data: Buffer.alloc(free - 60 - 16) };
  assert.equal(readVariableStore(addVariables(BLANK, [fits]))[0]?.data.length, fits.data.length);
  const tooLarge = { ...PLAIN, data: Buffer.alloc(free - 60 - 15) };
  assert.throws(() => addVariables(BLANK, [tooLarge]), failsWith("no-space", /262048 bytes wanted, 262044 free/));
});

test("deleted variables are left out, those in transition count until replaced", () => {
  const store = Buffer.from(addVariables(BLANK, [PLAIN, { ...PLAIN, name: "Lang" }]));
  const stateOffset = FIRST_VARIABLE + 2;
  const names = () => readVariableStore(store).map(({ name }) => name);
  store.writeUInt8(0x3e, stateOffset);
  assert.deepEqual(names(), ["Timeout", "Lang"]);
  store.writeUInt8(0x3c, stateOffset);
  assert.deepEqual(names(), ["Lang"]);
});

test("readVariableStore() refuses headers that lie", () => {
  const cases: readonly [name: string, change: (store: Buffer) => void, code: string, message: RegExp][] = [
    ["other volume", (b) => b.writeUInt8(0, 0x10), "corrupt", /volume fff12b00-/],
    ["no _FVH", (b) => b.writeUInt8(0, 0x28), "corrupt", /EFI variable store: volume/],
    ["volume past the end", (b) => b.writeUInt32LE(0x85000, 0x20), "corrupt", /of 544768 bytes in 540672/],
    ["wrong checksum", (b) => b.writeUInt8(0, 0x32), "corrupt", /wrong checksum of the volume header/],
    [
      "unauthenticated store",
      (b) =>
        fromHex("160 0".replace(" ", "")).forEach((v, i) => {
          b[0x48 + i] = v;
        }),
      "unsupported",
      /of kind/,
    ],
    ["not formatted", (b) => b.writeUInt8(0xff, 0x5c), "corrupt", /format 0xff/],
    ["store past the volume", (b) => b.writeUInt32LE(0x84000, 0x58), "corrupt", /540672 bytes/],
    ["store smaller than its header", (b) => b.writeUInt32LE(8, 0x58), "corrupt", /8 bytes/],
    [
      "garbage instead of a variable",
      (b) => b.writeUInt16LE(0x1234, FIRST_VARIABLE),
      "corrupt",
      /no variable at offset 100/,
    ],
  ];
  for (const [name, change, code, message] of cases) {
    const bad = Buffer.from(BLANK);
    change(bad);
    assert.throws(() => readVariableStore(bad), failsWith(code, message), name);
  }
  assert.throws(() => readVariableStore(Buffer.alloc(100)), failsWith("corrupt", /EFI variable store/));
});

test("changed stores never crash the reader", () => {
  const store = addVariables(BLANK, [PLAIN, { ...PLAIN, name: "Lang" }]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
      const bad = Buffer.from(store);
      for (const [offset, value] of changes) bad.writeUInt8(value, offset);
      try {
        readVariableStore(bad);
      } catch (error) {
        assert.ok(error instanceof SealrootError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
