/** SQLite itself, in Node, writes the databases that are read here. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sqliteRows } from "../../src/packages/index.ts";
import { Random } from "../fuzz/random.ts";
import { sqliteDatabase } from "./sqlite-database.ts";

const VALUES = [
  null,
  0n,
  1n,
  -1n,
  127n,
  -129n,
  70_000n,
  -8_388_609n,
  2n ** 31n,
  -(2n ** 47n),
  2n ** 63n - 1n,
  1.5,
  "",
  "text ü",
];

for (const pageBytes of [512, 4096, 65536]) {
  test(`tables of every size, pages of ${pageBytes} bytes`, () => {
    const random = new Random("sqlite", pageBytes);
    for (const rowCount of [0, 1, 30, 3000]) {
      const rows = Array.from({ length: rowCount }, (_, index) => [
        random.pick(VALUES),
        new Uint8Array(random.below(index % 50 === 0 ? 5 * pageBytes : 200)).fill(index),
      ]);
      const bytes = sqliteDatabase({ pageBytes, rows });
      const read = [...sqliteRows(bytes, "Packages")];
      assert.deepEqual(
        read.map(({ rowId }) => rowId),
        rows.map((_, index) => BigInt(index + 1)),
      );
      for (const [index, { values }] of read.entries()) {
        const [value, blob] = rows[index] ?? [];
        assert.equal(values[0], null);
        assert.deepEqual(values[1], value);
        assert.deepEqual(new Uint8Array(values[2] as Uint8Array), blob);
      }
    }
  });
}

test("rows at the lengths where they move to further pages", () => {
  for (let length = 400; length < 560; length++) {
    const blob = new Uint8Array(length).fill(length);
    const [row] = sqliteRows(sqliteDatabase({ pageBytes: 512, rows: [[null, blob]] }), "Packages");
    assert.deepEqual(new Uint8Array(row?.values[2] as Uint8Array), blob);
  }
});

test("what is no database, or not the one, is refused", () => {
  const good = sqliteDatabase({ pageBytes: 512, rows: [[1, new Uint8Array(5000)]] });
  const rowsOf = (bytes: Uint8Array, table = "Packages") => [...sqliteRows(bytes, table)];
  assert.throws(() => rowsOf(good, "Absent"), {
    code: "not-found",
    message: "Cannot read the SQLite database: it has no table Absent",
  });
  assert.throws(() => rowsOf(sqliteDatabase({ pageBytes: 512, rows: [], encoding: "UTF-16le" })), {
    code: "unsupported",
  });
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good);
    change(bytes);
    return bytes;
  };
  const refused: readonly (readonly [Uint8Array, string])[] = [
    [new Uint8Array(0), "it does not begin as one"],
    [good.subarray(0, 99), "it does not begin as one"],
    [changed((bytes) => bytes.writeUInt16BE(0, 16)), "a page cannot have 0 bytes"],
    [changed((bytes) => bytes.writeUInt16BE(1000, 16)), "a page cannot have 1000 bytes"],
    [changed((bytes) => bytes.writeUInt8(200, 20)), "a page cannot have 512 bytes"],
    [changed((bytes) => bytes.writeUInt8(2, 100)), "page 1 is not of a table"],
    [changed((bytes) => bytes.writeUInt16BE(60000, 103)), "page 1 has too many cells"],
    [good.subarray(0, 1024), "page 3 is not there"],
  ];
  for (const [bytes, reason] of refused) {
    assert.throws(() => rowsOf(bytes), { code: "corrupt", message: `Cannot read the SQLite database: ${reason}` });
  }
});

test("a tree that leads back to itself ends", () => {
  const rows = Array.from({ length: 300 }, () => [null, new Uint8Array(200)] as const);
  const bytes = Buffer.from(sqliteDatabase({ pageBytes: 512, rows }));
  for (let page = 512; page < bytes.length; page += 512) {
    if (bytes[page] === 0x05) bytes.writeUInt32BE(page / 512 + 1, page + 8);
  }
  assert.throws(() => [...sqliteRows(bytes, "Packages")], {
    code: "corrupt",
    message: /^Cannot read the SQLite database: page \d+ is used twice$/,
  });
});
