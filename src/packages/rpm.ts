/** rpm's list of packages: headers (rpm.org, "RPM Package File Format") in an SQLite database, `rpmdb.sqlite`. */
import { compareRpmVersions } from "../bls/index.ts";
import { corrupt } from "../errors/index.ts";
import type { InstalledPackage } from "./package.ts";
import { sqliteRows } from "./sqlite.ts";

/** Tags of a header, and the types of their values (rpmtag.h). */
const TAG = { name: 1000, version: 1001, release: 1002, epoch: 1003, architecture: 1022 } as const;
const TYPE = { int32: 4, string: 6 } as const;
const PREAMBLE_BYTES = 8;
const ENTRY_BYTES = 16;
/** Printable and no space: nothing else gets into what is printed. */
const WORD = /^[!-~]+$/;

/**
 * The packages of an `rpmdb.sqlite`, in the order they were installed.
 * @throws SealrootError as sqliteRows, and `corrupt` for a header that is none
 */
export function parseRpmDatabase(bytes: Uint8Array): InstalledPackage[] {
  const packages: InstalledPackage[] = [];
  for (const { rowId, values } of sqliteRows(bytes, "Packages")) {
    const blob = values[1];
    if (!(blob instanceof Uint8Array)) throw broken(`package ${rowId} has no header`);
    packages.push(parseRpmHeader(blob));
  }
  return packages;
}

/**
 * Name, version and architecture of a header as the database has it: without the magic number of a package file.
 * @throws SealrootError `corrupt`
 */
export function parseRpmHeader(bytes: Uint8Array): InstalledPackage {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (header.length < PREAMBLE_BYTES) throw broken("a header is cut off");
  const dataAt = PREAMBLE_BYTES + header.readUInt32BE(0) * ENTRY_BYTES;
  const dataEnd = dataAt + header.readUInt32BE(4);
  if (dataEnd > header.length) throw broken("a header is cut off");
  const data = header.subarray(dataAt, dataEnd);
  const found = new Map<number, string>();
  for (let at = PREAMBLE_BYTES; at < dataAt; at += ENTRY_BYTES) {
    const tag = header.readUInt32BE(at);
    const isString = tag !== TAG.epoch;
    if (!WANTED.has(tag)) continue;
    if (header.readUInt32BE(at + 4) !== (isString ? TYPE.string : TYPE.int32))
      throw broken(`tag ${tag} has a wrong type`);
    const offset = header.readUInt32BE(at + 8);
    found.set(tag, isString ? stringAt(data, offset, tag) : String(numberAt(data, offset, tag)));
  }
  const epoch = found.get(TAG.epoch);
  const version = `${requireTag(found, TAG.version)}-${requireTag(found, TAG.release)}`;
  return {
    name: requireTag(found, TAG.name),
    version: epoch === undefined ? version : `${epoch}:${version}`,
    architecture: found.get(TAG.architecture),
  };
}

const WANTED: ReadonlySet<number> = new Set(Object.values(TAG));

function stringAt(data: Buffer, offset: number, tag: number): string {
  const end = data.indexOf(0, offset);
  if (offset >= data.length || end < 0) throw broken(`the value of tag ${tag} is cut off`);
  const text = data.toString("latin1", offset, end);
  if (!WORD.test(text)) throw broken(`tag ${tag} has characters that it cannot have`);
  return text;
}

function numberAt(data: Buffer, offset: number, tag: number): number {
  if (offset + 4 > data.length) throw broken(`the value of tag ${tag} is cut off`);
  return data.readUInt32BE(offset);
}

function requireTag(found: ReadonlyMap<number, string>, tag: number): string {
  const value = found.get(tag);
  if (value === undefined) throw broken(`a package has no tag ${tag}`);
  return value;
}

function broken(reason: string) {
  return corrupt(`Cannot read rpm's database: ${reason}`);
}

/** Order of two `EPOCH:VERSION-RELEASE` (rpm, rpmVersionCompare): negative if `a` is older. No epoch is epoch 0. */
export function compareRpmPackageVersions(a: string, b: string): number {
  const [left, right] = [splitVersion(a), splitVersion(b)];
  return (
    left.epoch - right.epoch ||
    compareRpmVersions(left.version, right.version) ||
    compareRpmVersions(left.release, right.release)
  );
}

function splitVersion(text: string) {
  const colon = text.indexOf(":");
  const rest = text.slice(colon + 1);
  const hyphen = rest.lastIndexOf("-");
  return {
    epoch: colon < 0 ? 0 : Number(text.slice(0, colon)),
    version: hyphen < 0 ? rest : rest.slice(0, hyphen),
    release: hyphen < 0 ? "" : rest.slice(hyphen + 1),
  };
}
