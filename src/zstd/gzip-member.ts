/** What stands before and after the deflate stream of a gzip member (RFC 1952, 2.3), judged as zlib judges it. */
import { crc32 } from "node:zlib";
import { corrupt, type SealrootError } from "../errors/index.ts";
import type { PieceCursor } from "./piece-cursor.ts";

/** ID1 and ID2. */
const MAGIC = 0x8b1f;
const METHOD_DEFLATE = 8;
/** FLG, 2.3.1: FHCRC, FEXTRA, FNAME, FCOMMENT, and three bits that must be zero. */
const HAS_CRC = 0x02;
const HAS_EXTRA = 0x04;
const HAS_NAME = 0x08;
const HAS_COMMENT = 0x10;
const RESERVED = 0xe0;

/** The error of a damaged or foreign stream. The texts are zlib's. */
export function badGzip(state: string): SealrootError {
  return corrupt(`Cannot decompress gzip data: ${state}`);
}

export const UNEXPECTED_END = "unexpected end of file";
/** zlib knows eleven ways in which a deflate stream can be wrong, igzip three others. */
export const DAMAGED_STREAM = "the deflate data are damaged";

/**
 * Passes the head of a member by.
 * @throws SealrootError `corrupt`
 */
export async function passMemberHead(cursor: PieceCursor): Promise<void> {
  const head = new HeadReader(cursor);
  if (readU16(await head.take(2)) !== MAGIC) throw badGzip("incorrect header check");
  const [method = 0, flags = 0] = await head.take(2);
  if (method !== METHOD_DEFLATE) throw badGzip("unknown compression method");
  if ((flags & RESERVED) !== 0) throw badGzip("unknown header flags set");
  // MTIME, XFL, OS.
  await head.take(6);
  if ((flags & HAS_EXTRA) !== 0) await head.pass(readU16(await head.take(2)));
  if ((flags & HAS_NAME) !== 0) await head.passText();
  if ((flags & HAS_COMMENT) !== 0) await head.passText();
  const expected = head.crc & 0xffff;
  if ((flags & HAS_CRC) !== 0 && readU16(await head.take(2)) !== expected) throw badGzip("header crc mismatch");
}

/**
 * Passes the end of a member by and compares it.
 * @throws SealrootError `corrupt`
 */
export async function passMemberTail(cursor: PieceCursor, crc: number, sizeBytes: number): Promise<void> {
  const tail = new HeadReader(cursor);
  if (readU32(await tail.take(4)) !== crc) throw badGzip("incorrect data check");
  if (readU32(await tail.take(4)) !== sizeBytes % 2 ** 32) throw badGzip("incorrect length check");
}

class HeadReader {
  readonly #cursor: PieceCursor;
  /** CRC-32 of what was read. */
  crc = 0;

  constructor(cursor: PieceCursor) {
    this.#cursor = cursor;
  }

  async take(lengthBytes: number): Promise<Uint8Array> {
    const whole = this.#cursor.rest;
    if (whole.length >= lengthBytes) {
      this.#skip(lengthBytes);
      return whole.subarray(0, lengthBytes);
    }
    const bytes = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes; ) {
      const part = (await this.#rest()).subarray(0, lengthBytes - at);
      bytes.set(part, at);
      at += part.length;
      this.#skip(part.length);
    }
    return bytes;
  }

  async pass(lengthBytes: number): Promise<void> {
    for (let left = lengthBytes; left > 0; ) {
      const length = Math.min(left, (await this.#rest()).length);
      this.#skip(length);
      left -= length;
    }
  }

  /** To and with the NUL at its end. */
  async passText(): Promise<void> {
    for (;;) {
      const rest = await this.#rest();
      const end = rest.indexOf(0);
      this.#skip(end === -1 ? rest.length : end + 1);
      if (end !== -1) return;
    }
  }

  async #rest(): Promise<Uint8Array> {
    if (!(await this.#cursor.more())) throw badGzip(UNEXPECTED_END);
    return this.#cursor.rest;
  }

  #skip(lengthBytes: number): void {
    this.crc = crc32(this.#cursor.rest.subarray(0, lengthBytes), this.crc);
    this.#cursor.skip(lengthBytes);
  }
}

function readU16(bytes: Uint8Array): number {
  return (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8);
}

function readU32(bytes: Uint8Array): number {
  return (readU16(bytes) | (readU16(bytes.subarray(2)) << 16)) >>> 0;
}
