/** PAX extended header records: "<length> <key>=<value>\n" (POSIX.1-2017, pax, "pax Extended Header"). */
import { type ByteString, byteString, displayText } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { truncateTo32Bits } from "./header.ts";

/** What the records of one extended header change in the entry behind it. */
export interface PaxOverrides {
  path?: ByteString;
  linkPath?: ByteString;
  sizeBytes?: number;
  uid?: number;
  gid?: number;
  mtimeSeconds?: bigint;
  mtimeNanoseconds?: number;
  /** Nanoseconds since the epoch; absent when malformed too, as no tree shows them. */
  accessTimeNs?: bigint | undefined;
  changeTimeNs?: bigint | undefined;
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
 *
 * @param streamOffset where the header lies in the tar stream, for errors
 * @throws SealrootError `corrupt` for a malformed record or number, `unsupported` for GNU sparse files
 */
export function readPax(body: Uint8Array, streamOffset: number): PaxOverrides {
  const overrides: PaxOverrides = { xattrs: new Map() };
  let sparseName: ByteString | undefined;
  for (const [key, value] of paxRecords(body, streamOffset)) {
    if (key.startsWith(XATTR_PREFIX)) {
      overrides.xattrs.set(key.slice(XATTR_PREFIX.length) as ByteString, value);
      continue;
    }
    if (key === "GNU.sparse.name") sparseName = byteString(value);
    else if (key.startsWith("GNU.sparse.")) throw sparseUnsupported(streamOffset);
    else applyRecord(overrides, key, value, streamOffset);
  }
  if (sparseName !== undefined) overrides.path = sparseName;
  return overrides;
}

/** Sparse files have no place in a layer that must be reproduced byte for byte (spec/oci.md 3, vector 25). */
export function sparseUnsupported(streamOffset: number): SealrootError {
  return new SealrootError("unsupported", "Cannot read tar stream: sparse tar entries are not supported", {
    offset: streamOffset,
    hint: "make the layer without --sparse",
  });
}

function applyRecord(overrides: PaxOverrides, key: string, value: Uint8Array, streamOffset: number): void {
  switch (key) {
    case "path":
      overrides.path = byteString(value);
      break;
    case "linkpath":
      overrides.linkPath = byteString(value);
      break;
    case "size": {
      const size = paxNumber(key, value, streamOffset);
      if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw badNumber(key, value, streamOffset);
      overrides.sizeBytes = Number(size);
      break;
    }
    case "uid":
      overrides.uid = truncateTo32Bits(paxNumber(key, value, streamOffset));
      break;
    case "gid":
      overrides.gid = truncateTo32Bits(paxNumber(key, value, streamOffset));
      break;
    case "mtime":
      applyMtime(overrides, value, streamOffset);
      break;
    case "atime":
      overrides.accessTimeNs = paxTimeNs(value);
      break;
    case "ctime":
      overrides.changeTimeNs = paxTimeNs(value);
      break;
  }
}

/** Seconds are unsigned; of the fraction nine digits count, fewer are scaled, more are cut (spec/oci.md 3, vector 07). */
function applyMtime(overrides: PaxOverrides, value: Uint8Array, streamOffset: number): void {
  const dot = value.indexOf(0x2e);
  overrides.mtimeSeconds = paxNumber("mtime", dot === -1 ? value : value.subarray(0, dot), streamOffset, value);
  const fraction = dot === -1 ? "" : byteString(value, dot + 1);
  if (!/^\d*$/.test(fraction)) throw badNumber("mtime", value, streamOffset);
  overrides.mtimeNanoseconds ??= Number(fraction.slice(0, 9).padEnd(9, "0"));
}

/** A decimal with a sign and a fraction, of which nine digits count (POSIX.1-2017, pax, "atime"). */
function paxTimeNs(value: Uint8Array): bigint | undefined {
  const match = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(byteString(value));
  if (match === null) return undefined;
  const timeNs = BigInt(match[2] ?? "") * 1_000_000_000n + BigInt((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  return match[1] === "-" ? -timeNs : timeNs;
}

function paxNumber(key: string, digits: Uint8Array, streamOffset: number, shown = digits): bigint {
  const text = byteString(digits);
  if (!/^\d{1,40}$/.test(text)) throw badNumber(key, shown, streamOffset);
  const number = BigInt(text);
  if (number >= U64_LIMIT) throw badNumber(key, shown, streamOffset);
  return number;
}

function badNumber(key: string, value: Uint8Array, streamOffset: number): SealrootError {
  const shown = displayText(byteString(value)).slice(0, 64);
  return corrupt(`Cannot read tar stream: invalid PAX ${key} value: ${JSON.stringify(shown)}`, {
    offset: streamOffset,
  });
}

/** The records one by one: the key as bytes of valid UTF-8, the value as a copy. */
function* paxRecords(body: Uint8Array, streamOffset: number): Generator<[ByteString, Uint8Array]> {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const malformed = (reason: string, at: number) =>
    corrupt(`Cannot read tar stream: PAX record ${reason}`, { offset: streamOffset + at });
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
