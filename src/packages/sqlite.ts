/**
 * The rows of a table in an SQLite 3 database, read from its bytes (https://www.sqlite.org/fileformat2.html, "the file
 * format"). Only what a reader of one table needs: no index, no SQL, nothing of the database is executed.
 */
import { corrupt, SealrootError } from "../errors/index.ts";

export type SqliteValue = null | bigint | number | string | Uint8Array;

export interface SqliteRow {
  readonly rowId: bigint;
  readonly values: readonly SqliteValue[];
}

const MAGIC = "SQLite format 3\0";
/** Section 1.3. */
const HEADER_BYTES = 100;
const PAGE_SIZE_AT = 16;
const RESERVED_BYTES_AT = 20;
const ENCODING_AT = 56;
const UTF8 = 1;
/** Section 1.6: pages of a table's b-tree. */
const INTERIOR = 0x05;
const LEAF = 0x0d;
/** sqlite_schema's tree is deeper in no database that has fewer bytes than memory. */
const DEPTH_MAX = 40;
/** Columns of sqlite_schema (section 2.6). */
const SCHEMA = { type: 0, name: 1, rootPage: 3 } as const;

/**
 * Rows in the order of their ids. Each page is read once at most, so that no input costs more than its own length.
 *
 * @param bytes of the database without journal or write-ahead log
 * @throws SealrootError `corrupt`; `unsupported` for text that is not UTF-8; `not-found` for a table that is not there
 */
export function* sqliteRows(bytes: Uint8Array, table: string): Generator<SqliteRow> {
  const database = new Database(bytes);
  for (const { values } of database.rows(1)) {
    if (values[SCHEMA.type] !== "table" || values[SCHEMA.name] !== table) continue;
    const rootPage = values[SCHEMA.rootPage];
    if (typeof rootPage !== "bigint") throw broken(`the table ${table} has no pages`);
    yield* database.rows(Number(rootPage));
    return;
  }
  throw new SealrootError("not-found", `Cannot read the SQLite database: it has no table ${table}`);
}

class Database {
  readonly #bytes: Buffer;
  readonly #pageBytes: number;
  /** Of a page, what is not reserved for extensions. */
  readonly #usableBytes: number;
  readonly #pagesRead = new Set<number>();
  /** Cells of a good database do not overlap. */
  #rowsBytes = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEADER_BYTES || this.#bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) {
      throw broken("it does not begin as one");
    }
    const size = this.#bytes.readUInt16BE(PAGE_SIZE_AT);
    this.#pageBytes = size === 1 ? 65536 : size;
    this.#usableBytes = this.#pageBytes - this.#bytes.readUInt8(RESERVED_BYTES_AT);
    const isPower = this.#pageBytes >= 512 && (this.#pageBytes & (this.#pageBytes - 1)) === 0;
    if (!isPower || this.#usableBytes < 480) throw broken(`a page cannot have ${size} bytes`);
    const encoding = this.#bytes.readUInt32BE(ENCODING_AT);
    if (encoding !== UTF8) {
      throw new SealrootError("unsupported", "Cannot read the SQLite database: its text is not UTF-8");
    }
  }

  *rows(rootPage: number, depth = 0): Generator<SqliteRow> {
    if (depth > DEPTH_MAX) throw broken("a tree is too deep");
    const page = this.#page(rootPage);
    const start = rootPage === 1 ? HEADER_BYTES : 0;
    const type = page.readUInt8(start);
    if (type !== INTERIOR && type !== LEAF) throw broken(`page ${rootPage} is not of a table`);
    const cells = page.readUInt16BE(start + 3);
    const pointers = start + (type === LEAF ? 8 : 12);
    if (pointers + 2 * cells > this.#usableBytes) throw broken(`page ${rootPage} has too many cells`);
    for (let index = 0; index < cells; index++) {
      const at = page.readUInt16BE(pointers + 2 * index);
      if (type === LEAF) yield this.#row(page, at);
      else yield* this.rows(uint32(page, at), depth + 1);
    }
    if (type === INTERIOR) yield* this.rows(page.readUInt32BE(start + 8), depth + 1);
  }

  #page(number: number): Buffer {
    const start = (number - 1) * this.#pageBytes;
    if (number < 1 || start + this.#pageBytes > this.#bytes.length) throw broken(`page ${number} is not there`);
    if (this.#pagesRead.has(number)) throw broken(`page ${number} is used twice`);
    this.#pagesRead.add(number);
    return this.#bytes.subarray(start, start + this.#pageBytes);
  }

  #row(page: Buffer, at: number): SqliteRow {
    const payloadBytes = varint(page, at);
    const rowId = varint(page, payloadBytes.end);
    const sizeBytes = Number(payloadBytes.value);
    this.#rowsBytes += sizeBytes;
    if (this.#rowsBytes > this.#bytes.length) throw broken("its rows are longer than the database");
    return { rowId: BigInt.asIntN(64, rowId.value), values: recordValues(this.#payload(page, rowId.end, sizeBytes)) };
  }

  /** Section 1.6, "B-tree Cell Format": what does not fit into the page is in a chain of others. */
  #payload(page: Buffer, start: number, sizeBytes: number): Buffer {
    const usable = this.#usableBytes;
    const localMax = usable - 35;
    const localMin = Math.floor(((usable - 12) * 32) / 255) - 23;
    const surplus = localMin + ((sizeBytes - localMin) % (usable - 4));
    const localBytes = sizeBytes <= localMax ? sizeBytes : surplus <= localMax ? surplus : localMin;
    const parts = [slice(page, start, localBytes)];
    let missingBytes = sizeBytes - localBytes;
    for (let next = missingBytes > 0 ? uint32(page, start + localBytes) : 0; missingBytes > 0; ) {
      const overflow = this.#page(next);
      const part = slice(overflow, 4, Math.min(missingBytes, usable - 4));
      parts.push(part);
      missingBytes -= part.length;
      next = overflow.readUInt32BE(0);
    }
    return parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts);
  }
}

/** Section 2.1, "Record Format". */
function recordValues(record: Buffer): SqliteValue[] {
  const headerBytes = varint(record, 0);
  const values: SqliteValue[] = [];
  let bodyAt = Number(headerBytes.value);
  for (let at = headerBytes.end; at < Number(headerBytes.value); ) {
    const type = varint(record, at);
    at = type.end;
    const { value, sizeBytes } = columnValue(record, bodyAt, Number(type.value));
    values.push(value);
    bodyAt += sizeBytes;
  }
  return values;
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8];

function columnValue(record: Buffer, at: number, type: number): { value: SqliteValue; sizeBytes: number } {
  if (type === 0) return { value: null, sizeBytes: 0 };
  if (type === 8 || type === 9) return { value: BigInt(type - 8), sizeBytes: 0 };
  if (type === 7) return { value: slice(record, at, 8).readDoubleBE(0), sizeBytes: 8 };
  if (type < 7) {
    const sizeBytes = INTEGER_BYTES[type] ?? 0;
    const digits = slice(record, at, sizeBytes).toString("hex");
    return { value: BigInt.asIntN(8 * sizeBytes, BigInt(`0x${digits}`)), sizeBytes };
  }
  if (type < 12) throw broken("a value has a type that is reserved");
  const sizeBytes = Math.floor((type - 12) / 2);
  const content = slice(record, at, sizeBytes);
  return { value: type % 2 === 0 ? content : content.toString("utf8"), sizeBytes };
}

/** Section 1.6: big-endian, seven bits a byte, eight in the ninth. */
function varint(bytes: Buffer, start: number): { readonly value: bigint; readonly end: number } {
  let value = 0n;
  for (let index = 0; index < 9; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) throw broken("a number is cut off");
    if (index === 8) return { value: (value << 8n) | BigInt(byte), end: start + 9 };
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  throw new Error("unreachable: the ninth byte is the last");
}

function uint32(bytes: Buffer, at: number): number {
  return slice(bytes, at, 4).readUInt32BE(0);
}

function slice(bytes: Buffer, start: number, length: number): Buffer {
  if (start + length > bytes.length) throw broken("a row is cut off");
  return bytes.subarray(start, start + length);
}

function broken(reason: string) {
  return corrupt(`Cannot read the SQLite database: ${reason}`);
}
