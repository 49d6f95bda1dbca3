/** Headers of packages as rpm keeps them, and a database of them. */
import { sqliteDatabase } from "./sqlite-database.ts";

const PREAMBLE_BYTES = 8;
const ENTRY_BYTES = 16;

type RpmValue = string | number | readonly string[] | readonly number[];

/** rpmtag.h: the types of numbers of 32 bits, strings and arrays of strings. */
function typeOf(value: RpmValue): number {
  if (Array.isArray(value)) return typeof value[0] === "string" ? 8 : 4;
  return typeof value === "string" ? 6 : 4;
}

/** A header of strings and numbers, or arrays of them, by their tags. */
export function rpmHeader(values: readonly (readonly [number, RpmValue])[]): Buffer {
  const entries: Buffer[] = [];
  let data = Buffer.alloc(0);
  for (const [tag, value] of values) {
    const items = [value].flat();
    const entry = Buffer.alloc(ENTRY_BYTES);
    for (const [index, field] of [tag, typeOf(value), data.length, items.length].entries()) {
      entry.writeUInt32BE(field, 4 * index);
    }
    entries.push(entry);
    data = Buffer.concat([data, ...items.map(bytesOf)]);
  }
  const preamble = Buffer.alloc(PREAMBLE_BYTES);
  preamble.writeUInt32BE(entries.length, 0);
  preamble.writeUInt32BE(data.length, 4);
  return Buffer.concat([preamble, ...entries, data]);
}

function bytesOf(value: string | number): Buffer {
  if (typeof value === "string") return Buffer.from(`${value}\0`, "latin1");
  const number = Buffer.alloc(4);
  number.writeUInt32BE(value, 0);
  return number;
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
