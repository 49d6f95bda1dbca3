/** PAX extended header records: "<length> <key>=<value>\n" (POSIX.1-2017, pax, "pax Extended Header"). */
import { type ByteString, byteString, displayText } from "../bytes/index.ts";
import type { SealrootError } from "../errors/index.ts";
import { truncateTo32Bits } from "./header.ts";
import { type PaxSparse, PaxSparseRecords } from "./pax-sparse.ts";
import { type TarPlace, tarError } from "./place.ts";

/** What the records of one extended header change in the entry after it. */
export interface PaxOverrides {
  path?: ByteString;
  linkPath?: ByteString;
  sizeBytes?: number;
  uid?: number;
  gid?: number;
  mtimeSeconds?: bigint;
  mtimeNanoseconds?: number;
  /** Nanoseconds since the epoch; also absent when malformed, as no tree shows them. */
  accessTimeNs?: bigint | undefined;
  changeTimeNs?: bigint | undefined;
  /** The file has holes. */
  sparse?: PaxSparse | undefined;
  readonly xattrs: Map<ByteString, Uint8Array>;
}

const XATTR_PREFIX = "SCHILY.xattr.";
const U64_LIMIT = 1n << 64n;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const EQUALS = 0x3d;

/**
 * Reads the body of an `x` header.
 *
 * Rules of spec/oci.md 3: keys are UTF-8, values are bytes, the last of equal keys wins (but the fraction of the
 * *first* mtime record counts), a record whose length does not parse silently ends the list, unknown keys are ignored.
 * An empty value leaves the header's own field unchanged (Go's archive/tar, mergePAX).
 *
 * @param place where the header is in the tar stream, and which entry it is for
 * @throws SealrootError `corrupt` for a malformed record or number, `unsupported` for an unknown form of sparse files
 */
export function readPax(body: Uint8Array, place: TarPlace): PaxOverrides {
  const overrides: PaxOverrides = { xattrs: new Map() };
  const sparse = new PaxSparseRecords();
  let here = place;
  for (const [key, value] of paxRecords(body, place)) {
    if (key.startsWith(XATTR_PREFIX)) {
      overrides.xattrs.set(key.slice(XATTR_PREFIX.length) as ByteString, value);
      continue;
    }
    if (sparse.take(key, value, here)) continue;
    if (value.length > 0) applyRecord(overrides, key, value, here);
    // A long name is only in the record.
    if (overrides.path !== undefined) here = { ...place, path: overrides.path };
  }
  if (sparse.name !== undefined) overrides.path = sparse.name;
  overrides.sparse = sparse.finish(sparse.name === undefined ? here : { ...place, path: sparse.name });
  return overrides;
}

function applyRecord(overrides: PaxOverrides, key: string, value: Uint8Array, place: TarPlace): void {
  switch (key) {
    case "path":
      overrides.path = byteString(value);
      break;
    case "linkpath":
      overrides.linkPath = byteString(value);
      break;
    case "size": {
      const size = paxNumber(key, value, place);
      if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw badNumber(key, value, place);
      overrides.sizeBytes = Number(size);
      break;
    }
    case "uid":
      overrides.uid = truncateTo32Bits(paxNumber(key, value, place));
      break;
    case "gid":
      overrides.gid = truncateTo32Bits(paxNumber(key, value, place));
      break;
    case "mtime":
      applyMtime(overrides, value, place);
      break;
    case "atime":
      overrides.accessTimeNs = paxTimeNs(value);
      break;
    case "ctime":
      overrides.changeTimeNs = paxTimeNs(value);
      break;
  }
}

const TIME = /^(-?)(\d{1,40})(?:\.(\d*))?$/;
const NS_PER_SECOND = 1_000_000_000n;
const S64_LIMIT = 1n << 63n;

/**
 * Nine digits of the fraction count, fewer are scaled, more are cut (spec/oci.md 3, vector 07). Before 1970 the
 * fraction counts backwards like the seconds: -1.25 is 1.25 s before (Go's archive/tar, parsePAXTime; GNU tar,
 * decode_timespec). The reference refuses those.
 */
function applyMtime(overrides: PaxOverrides, value: Uint8Array, place: TarPlace): void {
  const [, sign, digits = "", fraction = ""] = TIME.exec(byteString(value)) ?? [];
  const seconds = BigInt(digits);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === undefined || seconds >= U64_LIMIT) throw badNumber("mtime", value, place);
  if (sign === "") {
    overrides.mtimeSeconds = seconds;
    overrides.mtimeNanoseconds ??= nanoseconds;
    return;
  }
  if (seconds >= S64_LIMIT) throw badNumber("mtime", value, place);
  overrides.mtimeSeconds = nanoseconds === 0 ? -seconds : -seconds - 1n;
  overrides.mtimeNanoseconds = nanoseconds === 0 ? 0 : Number(NS_PER_SECOND) - nanoseconds;
}

/** A decimal with a sign and a fraction, of which nine digits count (POSIX.1-2017, pax, "atime"). */
function paxTimeNs(value: Uint8Array): bigint | undefined {
  const match = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(byteString(value));
  if (match === null) return undefined;
  const timeNs = BigInt(match[2] ?? "") * NS_PER_SECOND + BigInt((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  return match[1] === "-" ? -timeNs : timeNs;
}

function paxNumber(key: string, digits: Uint8Array, place: TarPlace): bigint {
  const text = byteString(digits);
  if (!/^\d{1,40}$/.test(text)) throw badNumber(key, digits, place);
  const number = BigInt(text);
  if (number >= U64_LIMIT) throw badNumber(key, digits, place);
  return number;
}

function badNumber(key: string, value: Uint8Array, place: TarPlace): SealrootError {
  const shown = displayText(byteString(value)).slice(0, 64);
  return tarError(place, `invalid PAX ${key} value: ${JSON.stringify(shown)}`);
}

/** The records one by one: the key as bytes of valid UTF-8, the value as a copy. */
function* paxRecords(body: Uint8Array, place: TarPlace): Generator<[ByteString, Uint8Array]> {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const malformed = (reason: string, at: number) =>
    tarError({ ...place, offset: place.offset + at }, `PAX record ${reason}`);
  let start = 0;
  while (start < body.length) {
    const space = body.indexOf(SPACE, start);
    const digits = space === -1 ? "" : byteString(body, start, space);
    if (!/^\d{1,15}$/.test(digits)) return;
    const end = start + Number(digits);
    if (end > body.length || end <= space + 1) throw malformed("has a length beyond its header", start);
    if (body[end - 1] !== NEWLINE) throw malformed("does not end in a newline", start);
    const equals = body.indexOf(EQUALS, space + 1);
    if (equals === -1 || equals >= end) throw malformed("has no =", start);
    const key = body.subarray(space + 1, equals);
    try {
      utf8.decode(key);
    } catch {
      throw malformed("has a key that is not UTF-8", start);
    }
    yield [byteString(key), body.slice(equals + 1, end - 1)];
    start = end;
  }
}

/** One record; its length counts the digits of the length itself. */
export function formatPaxRecord(key: ByteString, value: Uint8Array): Uint8Array {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length += 1;
  return Buffer.concat([Buffer.from(`${length} ${key}=`, "latin1"), value, Buffer.from("\n")]);
}
