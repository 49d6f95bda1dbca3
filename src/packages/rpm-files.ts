/** The files of rpm's packages: tags BASENAMES, DIRNAMES and DIRINDEXES of their headers (rpm.org, "RPM Tags"). */
import type { ByteString } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { sqliteRows } from "./sqlite.ts";

/** rpmtag.h */
const TAG = { name: 1000, directoryIndexes: 1116, baseNames: 1117, directoryNames: 1118 } as const;
const PREAMBLE_BYTES = 8;
const ENTRY_BYTES = 16;

export interface RpmFileList {
  readonly name: string;
  /** Absolute. */
  readonly paths: readonly ByteString[];
}

/**
 * The files of the packages of an `rpmdb.sqlite`.
 * @throws SealrootError as sqliteRows, and `corrupt` for a header that is none
 */
export function* parseRpmFileLists(bytes: Uint8Array): Generator<RpmFileList, void, undefined> {
  for (const { rowId, values } of sqliteRows(bytes, "Packages")) {
    const blob = values[1];
    if (!(blob instanceof Uint8Array)) throw broken(`package ${rowId} has no header`);
    yield fileListOf(blob);
  }
}

function fileListOf(bytes: Uint8Array): RpmFileList {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (header.length < PREAMBLE_BYTES) throw broken("a header is cut off");
  const dataAt = PREAMBLE_BYTES + header.readUInt32BE(0) * ENTRY_BYTES;
  const dataEnd = dataAt + header.readUInt32BE(4);
  if (dataEnd > header.length) throw broken("a header is cut off");
  const data = header.subarray(dataAt, dataEnd);
  const found = new Map<number, { readonly offset: number; readonly count: number }>();
  for (let at = PREAMBLE_BYTES; at < dataAt; at += ENTRY_BYTES) {
    found.set(header.readUInt32BE(at), { offset: header.readUInt32BE(at + 8), count: header.readUInt32BE(at + 12) });
  }
  const strings = (tag: number): string[] => {
    const { offset, count } = found.get(tag) ?? { offset: 0, count: 0 };
    return stringsAt(data, offset, count, tag);
  };
  const [name] = strings(TAG.name);
  if (name === undefined) throw broken("a package has no name");
  const directories = strings(TAG.directoryNames);
  const { offset, count } = found.get(TAG.directoryIndexes) ?? { offset: 0, count: 0 };
  if (offset + 4 * count > data.length) throw broken("the value of tag 1116 is cut off");
  const paths = strings(TAG.baseNames).map((base, index) => {
    const directory = index < count ? directories[data.readUInt32BE(offset + 4 * index)] : undefined;
    if (directory === undefined) throw broken("a file has no directory");
    return `${directory}${base}` as ByteString;
  });
  return { name, paths };
}

function stringsAt(data: Buffer, offset: number, count: number, tag: number): string[] {
  const found: string[] = [];
  for (let at = offset; found.length < count; ) {
    const end = data.indexOf(0, at);
    if (at >= data.length || end < 0) throw broken(`the value of tag ${tag} is cut off`);
    found.push(data.toString("latin1", at, end));
    at = end + 1;
  }
  return found;
}

function broken(reason: string) {
  return corrupt(`Cannot read rpm's database: ${reason}`);
}
