/** A deterministic tar writer: ustar headers, PAX records only for what ustar cannot express. */
import { type ByteString, byteString, byteStringOfText, bytesOf } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { TarEntryKind } from "./entry.ts";
import { BLOCK_BYTES, FIELD, headerChecksum } from "./header.ts";
import { fitsOctal, formatBase256, formatOctal } from "./number.ts";
import { formatPaxRecord } from "./pax.ts";

/** An entry to write. Times, owners and modes are the caller's, so that equal input gives equal bytes. */
export interface TarMemberHeader {
  readonly kind: Exclude<TarEntryKind, "unknown">;
  /** Relative, as in the archive; directories get a final slash. */
  readonly path: ByteString;
  readonly linkPath?: ByteString;
  /** Permission bits, 0..07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: bigint;
  readonly mtimeNanoseconds?: number;
  readonly xattrs?: ReadonlyMap<ByteString, Uint8Array>;
  /** Length of the body; files only. */
  readonly sizeBytes?: number;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** An entry and its body, whole or in parts. */
export interface TarMember {
  readonly header: TarMemberHeader;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
}

const FLAG_OF_KIND = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
} as const;

/** The end-of-archive marker: two zero blocks (POSIX.1-2017, pax). */
export const END_OF_ARCHIVE: Uint8Array = new Uint8Array(2 * BLOCK_BYTES);

/** The zeros that follow a body of `sizeBytes`. */
export function tarPadding(sizeBytes: number): Uint8Array {
  return END_OF_ARCHIVE.subarray(0, (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

/**
 * The header blocks of one entry: one block, preceded by a PAX header for long names, xattrs, fractions of a second and
 * large numbers. Times before 1970 are written in base-256, which every reader of spec/oci.md accepts; those with a
 * fraction also in a PAX record, which the reference does not accept.
 *
 * @throws SealrootError `unsupported` for what no tar reader would understand
 */
export function encodeTarHeader(member: TarMemberHeader): Uint8Array {
  refuseUnwritable(member);
  const isOpenDirectory = member.kind === "directory" && !member.path.endsWith("/");
  const header = isOpenDirectory ? { ...member, path: `${member.path}/` as ByteString } : member;
  const records = paxRecordsOf(header);
  const block = headerBlock(header);
  if (records.length === 0) return block;
  const body = Buffer.concat(records);
  const baseName = header.path.replace(/\/$/, "").split("/").at(-1) ?? "";
  const paxHeader = rawBlock("x", `PaxHeaders/${baseName}`.slice(0, 100), {
    mode: 0o644,
    sizeBytes: body.length,
    mtime: formatOctal(0n, 12),
  });
  return Buffer.concat([paxHeader, body, tarPadding(body.length), block]);
}

function refuseUnwritable(header: TarMemberHeader): void {
  const refuse = (reason: string) =>
    new SealrootError("unsupported", `Cannot write tar entry: ${reason}`, { path: header.path });
  if (header.path === "" || header.path.includes("\0")) throw refuse("path is empty or contains NUL");
  if (
    (header.linkPath === undefined || header.linkPath === "") &&
    (header.kind === "symlink" || header.kind === "hardlink")
  ) {
    throw refuse("link has no target");
  }
  const device = header.device;
  if (device !== undefined && !(fitsOctal(device.major, 8) && fitsOctal(device.minor, 8))) {
    throw refuse(`device number ${device.major}:${device.minor} is out of range`);
  }
  for (const name of header.xattrs?.keys() ?? []) {
    if (name === "" || name.includes("=")) throw refuse("an extended attribute's name is empty or contains =");
  }
}

function paxRecordsOf(header: TarMemberHeader): Uint8Array[] {
  const records: Uint8Array[] = [];
  const add = (key: string, value: Uint8Array) => records.push(formatPaxRecord(key as ByteString, value));
  const addText = (key: string, value: string) => add(key, bytesOf(byteStringOfText(value)));
  if (header.path.length > FIELD.name[1]) add("path", bytesOf(header.path));
  const link = header.linkPath;
  if (link !== undefined && link.length > FIELD.linkName[1] - FIELD.linkName[0]) add("linkpath", bytesOf(link));
  if (!fitsOctal(header.sizeBytes ?? 0, 12)) addText("size", String(header.sizeBytes));
  if (!fitsOctal(header.uid, 8)) addText("uid", String(header.uid));
  if (!fitsOctal(header.gid, 8)) addText("gid", String(header.gid));
  const nanoseconds = header.mtimeNanoseconds ?? 0;
  if (nanoseconds !== 0 || (header.mtimeSeconds > 0n && !fitsOctal(header.mtimeSeconds, 12))) {
    addText("mtime", paxTime(header.mtimeSeconds, nanoseconds));
  }
  const xattrs = [...(header.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of xattrs) add(`SCHILY.xattr.${name}`, value);
  return records;
}

/** Before 1970, the fraction counts backwards like the seconds. */
function paxTime(seconds: bigint, nanoseconds: number): string {
  const isBackwards = seconds < 0n && nanoseconds !== 0;
  const whole = isBackwards ? -seconds - 1n : seconds;
  const part = isBackwards ? 1_000_000_000 - nanoseconds : nanoseconds;
  const fraction = String(part).padStart(9, "0").replace(/0+$/, "");
  return `${isBackwards ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

function headerBlock(header: TarMemberHeader): Uint8Array {
  const octalOrZero = (value: number, bytes: number) => (fitsOctal(value, bytes) ? value : 0);
  return rawBlock(FLAG_OF_KIND[header.kind], header.path.slice(0, 100), {
    mode: header.mode,
    uid: octalOrZero(header.uid, 8),
    gid: octalOrZero(header.gid, 8),
    sizeBytes: header.kind === "file" ? octalOrZero(header.sizeBytes ?? 0, 12) : 0,
    mtime: mtimeField(header.mtimeSeconds),
    linkName: (header.linkPath ?? "").slice(0, 100),
    device: header.device,
  });
}

function mtimeField(seconds: bigint): string {
  if (fitsOctal(seconds, 12)) return formatOctal(seconds, 12);
  // Above the octal range the PAX record counts; below zero base-256 is the only way.
  return seconds > 0n ? formatOctal(0n, 12) : byteString(formatBase256(seconds, 12));
}

interface RawFields {
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes: number;
  /** The twelve bytes of the field. */
  readonly mtime: string;
  readonly linkName?: string;
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
}

function rawBlock(typeFlag: string, name: string, fields: RawFields): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  const put = (field: readonly [number, number], text: string) =>
    block.write(text, field[0], field[1] - field[0], "latin1");
  put(FIELD.name, name);
  put(FIELD.mode, formatOctal(fields.mode, 8));
  put(FIELD.uid, formatOctal(fields.uid ?? 0, 8));
  put(FIELD.gid, formatOctal(fields.gid ?? 0, 8));
  put(FIELD.size, formatOctal(fields.sizeBytes, 12));
  put(FIELD.mtime, fields.mtime);
  put(FIELD.typeFlag, typeFlag);
  put(FIELD.linkName, fields.linkName ?? "");
  put(FIELD.magic, "ustar\0");
  put(FIELD.version, "00");
  put(FIELD.deviceMajor, formatOctal(fields.device?.major ?? 0, 8));
  put(FIELD.deviceMinor, formatOctal(fields.device?.minor ?? 0, 8));
  // Six digits, NUL, space: the traditional form of this one field.
  put(FIELD.checksum, `${formatOctal(headerChecksum(block, 0), 7)} `);
  return block;
}

/**
 * A whole archive, in parts, including the end marker.
 * @throws SealrootError `conflict` when a body is not as long as its header says
 */
export async function* writeTar(members: Iterable<TarMember> | AsyncIterable<TarMember>): AsyncGenerator<Uint8Array> {
  for await (const { header, body } of members) {
    const sizeBytes = header.kind === "file" ? (header.sizeBytes ?? (body instanceof Uint8Array ? body.length : 0)) : 0;
    yield encodeTarHeader({ ...header, sizeBytes });
    let writtenBytes = 0;
    for await (const part of body instanceof Uint8Array ? [body] : (body ?? [])) {
      writtenBytes += part.length;
      if (writtenBytes <= sizeBytes) yield part;
    }
    if (writtenBytes !== sizeBytes) {
      throw new SealrootError("conflict", "Cannot write tar entry: body and stated size differ", {
        path: header.path,
        expected: `${sizeBytes} bytes`,
        actual: `${writtenBytes} bytes`,
      });
    }
    yield tarPadding(sizeBytes);
  }
  yield END_OF_ARCHIVE;
}
