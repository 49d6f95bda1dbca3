/** Directory records read and checked (spec/erofs.md 2.6, 8). */
import { type ByteString, byteString } from "../bytes/index.ts";
import { NAME_MAX_BYTES, quotePath } from "../tree/index.ts";
import { BLOCK_BYTES, DIRENT_BYTES } from "./format.ts";
import { imageError } from "./read-error.ts";
import { inodeData, type RawInode } from "./read-inode.ts";
import type { ImageHeader } from "./read-superblock.ts";

/** One record. */
export interface RawEntry {
  readonly name: ByteString;
  readonly nid: number;
  /** FT_xxx. */
  readonly type: number;
  /** Where the record is in the image. */
  readonly offset: number;
}

/**
 * All records of a directory except `.` and `..`, which must name the directory itself and its parent. Names ascend
 * strictly: the kernel does a binary search.
 */
export function readDirectory(image: ImageHeader, inode: RawInode, parentNid: number): RawEntry[] {
  const { blocks, tail } = inodeData(image, inode);
  const entries: RawEntry[] = [];
  for (let start = 0; start < blocks.length; start += BLOCK_BYTES) {
    readRecords(image, blocks.subarray(start, start + BLOCK_BYTES), entries);
  }
  if (tail.length > 0) readRecords(image, tail, entries);
  checkOrder(entries);
  const expected: [string, number][] = [
    [".", inode.nid],
    ["..", parentNid],
  ];
  for (const [name, nid] of expected) {
    const entry = entries.find((each) => each.name === name);
    if (entry === undefined) throw imageError(inode.offset, `a directory without "${name}"`);
    if (entry.nid !== nid) throw imageError(entry.offset, `"${name}" names inode ${entry.nid}, not ${nid}`);
  }
  return entries.filter(({ name }) => name !== "." && name !== "..");
}

/** The records of one block or tail; the first name's offset gives their number. */
function readRecords(image: ImageHeader, part: Uint8Array, entries: RawEntry[]): void {
  const { view } = image;
  const start = part.byteOffset - image.bytes.byteOffset;
  if (part.length < DIRENT_BYTES) throw imageError(start, "a directory part too short for a record");
  const namesOffset = view.getUint16(start + 8, true);
  if (namesOffset === 0 || namesOffset % DIRENT_BYTES !== 0 || namesOffset > part.length) {
    throw imageError(start + 8, `first name at ${namesOffset} of ${part.length}`);
  }
  for (let record = 0; record < namesOffset; record += DIRENT_BYTES) {
    const offset = start + record;
    const nameStart = view.getUint16(offset + 8, true);
    const isLast = record + DIRENT_BYTES === namesOffset;
    const nameEnd = isLast ? lastNameEnd(part, nameStart) : view.getUint16(offset + DIRENT_BYTES + 8, true);
    if (nameStart < namesOffset || nameStart >= nameEnd || nameEnd > part.length) {
      throw imageError(offset + 8, `a name at ${nameStart} to ${nameEnd} of ${part.length}`);
    }
    const name = byteString(part, nameStart, nameEnd);
    checkName(name, offset);
    const nid = Number(view.getBigUint64(offset, true)); // a number above 2^53 is beyond the image anyway
    entries.push({ name, nid, type: view.getUint8(offset + 10), offset });
  }
}

/** The last name of a part has no successor that marks its end: it ends at the first NUL. */
function lastNameEnd(part: Uint8Array, start: number): number {
  const end = part.indexOf(0, start);
  return end === -1 ? part.length : end;
}

function checkName(name: ByteString, offset: number): void {
  if (name.length > NAME_MAX_BYTES || name.includes("/") || name.includes("\0")) {
    throw imageError(offset, `${quotePath(name)} is no file name`);
  }
}

function checkOrder(entries: readonly RawEntry[]): void {
  let previous: ByteString | undefined;
  for (const { name, offset } of entries) {
    if (previous === name) throw imageError(offset, `two entries named ${quotePath(name)}`);
    if (previous !== undefined && previous > name) throw imageError(offset, `name ${quotePath(name)} is out of order`);
    previous = name;
  }
}
