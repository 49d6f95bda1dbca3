/** The newc writer. */
import { alignUp, type ByteString, byteStringOfText, bytesOf } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type CpioEntry, HEADER_BYTES, MAGIC_NEWC, TRAILER, TYPE_BITS } from "./entry.ts";

/** An archive ends on a multiple of this, as with cpio(1) and the kernel's own generator. */
const ARCHIVE_ALIGNMENT = 512;

/**
 * One uncompressed archive. Same entries, same bytes: entries are sorted by name (so that parents come before
 * children), inode numbers count from 1, owners and times are 0, every link count is 1.
 *
 * Parents are not added: an archive that extends another must not name directories that may be links in it
 * (spec/boot-chain.md G, "Override traps").
 *
 * @throws SealrootError `conflict` for a name given twice, `usage` for a name that is absolute, empty or climbs
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  let sizeBytes = recordBytes(TRAILER.length, 0);
  for (const [index, entry] of sorted.entries()) {
    checkPath(entry.path);
    if (sorted[index - 1]?.path === entry.path) {
      throw new SealrootError("conflict", `Cannot write the cpio archive: "${entry.path}" is given twice`);
    }
    sizeBytes += recordBytes(entry.path.length, dataOf(entry).length);
  }
  const archive = new Uint8Array(alignUp(sizeBytes, ARCHIVE_ALIGNMENT));
  let offset = 0;
  for (const [index, entry] of sorted.entries()) offset = putRecord(archive, offset, index + 1, entry);
  putTrailer(archive, offset);
  return archive;
}

function checkPath(path: ByteString): void {
  const components = path.split("/");
  if (path === "" || path.includes("\0") || components.some((name) => name === "" || name === "." || name === "..")) {
    throw new SealrootError("usage", `Cannot write the cpio archive: "${path}" is not a relative path in normal form`);
  }
}

function dataOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === "file") return entry.bytes;
  return entry.kind === "symlink" ? bytesOf(entry.target) : new Uint8Array(0);
}

/** Header, name with its NUL, and data, the latter two padded to 4. */
function recordBytes(nameBytes: number, dataBytes: number): number {
  return alignUp(HEADER_BYTES + nameBytes + 1, 4) + alignUp(dataBytes, 4);
}

function putRecord(archive: Uint8Array, offset: number, inode: number, entry: CpioEntry): number {
  const data = dataOf(entry);
  const device = entry.kind === "character-device" || entry.kind === "block-device" ? entry : { major: 0, minor: 0 };
  const mode = TYPE_BITS[entry.kind] | entry.mode;
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, device.major, device.minor, entry.path.length + 1, 0];
  putHeader(archive, offset, fields, entry.path);
  const dataOffset = offset + alignUp(HEADER_BYTES + entry.path.length + 1, 4);
  archive.set(data, dataOffset);
  return dataOffset + alignUp(data.length, 4);
}

function putTrailer(archive: Uint8Array, offset: number): void {
  putHeader(archive, offset, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, TRAILER.length + 1, 0], byteStringOfText(TRAILER));
}

function putHeader(archive: Uint8Array, offset: number, fields: readonly number[], name: ByteString): void {
  const text = MAGIC_NEWC + fields.map((field) => field.toString(16).padStart(8, "0")).join("") + name;
  for (let index = 0; index < text.length; index++) archive[offset + index] = text.charCodeAt(index);
}
