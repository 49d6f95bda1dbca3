/** Headers of packages as rpm keeps them, and a database of them. */
import { sqliteDatabase } from "./sqlite-database.ts";

const PREAMBLE_BYTES = 8;
const ENTRY_BYTES = 16;

/** A header of strings and numbers by their tags. */
export function rpmHeader(values: readonly (readonly [number, string | number])[]): Buffer {
  const entries: Buffer[] = [];
  let data = Buffer.alloc(0);
  for (const [tag, value] of values) {
    const entry = Buffer.alloc(ENTRY_BYTES);
    for (const [index, field] of [tag, typeof value === "string" ? 6 : 4, data.length, 1].entries()) {
      entry.writeUInt32BE(field, 4 * index);
    }
    entries.push(entry);
    const number = Buffer.alloc(4);
    if (typeof value === "number") number.writeUInt32BE(value, 0);
    data = Buffer.concat([data, typeof value === "string" ? Buffer.from(`${value}\0`, "latin1") : number]);
  }
  const preamble = Buffer.alloc(PREAMBLE_BYTES);
  preamble.writeUInt32BE(entries.length, 0);
  preamble.writeUInt32BE(data.length, 4);
  return Buffer.concat([preamble, ...entries, data]);
}

/** @param packages name, version, release */
export function rpmDatabase(packages: readonly (readonly [string, string, string])[]): Uint8Array {
  const rows = packages.map(([name, version, release]) =>
    rpmHeader([
      [1000, name],
      [1001, version],
      [1002, release],
    ]),
  );
  return sqliteDatabase({ pageBytes: 4096, rows: rows.map((header) => [header]), columns: "blob BLOB" });
}
