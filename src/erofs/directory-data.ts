/** A directory's records packed into blocks (spec/erofs.md 2.6). */
import type { ByteString } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { DIRENT_TYPES, NAME_MAX_BYTES, quotePath } from "../tree/index.ts";
import { BLOCK_BYTES, DIRECTORY_TAIL_MAX_BYTES, DIRENT_BYTES } from "./format.ts";
import type { ImageBuffer } from "./image-window.ts";
import type { DirectoryListing, Inode } from "./inode.ts";

const DOT = "." as ByteString;
const DOT_DOT = ".." as ByteString;

/**
 * Inserts `.` and `..` among a directory's entries and packs all of them, first fit in order.
 * @param names the entries' names in byte order
 * @param inodes in the order of `names`
 */
export function listDirectory(
  self: Inode,
  parent: Inode,
  names: readonly ByteString[],
  inodes: readonly Inode[],
): DirectoryListing {
  names.forEach(checkName);
  const dotIndex = lowerBound(names, DOT);
  const dotDotIndex = lowerBound(names, DOT_DOT);
  const allNames = [...names.slice(0, dotIndex), DOT, ...names.slice(dotIndex, dotDotIndex), DOT_DOT];
  const allInodes = [...inodes.slice(0, dotIndex), self, ...inodes.slice(dotIndex, dotDotIndex), parent];
  for (let index = dotDotIndex; index < names.length; index++) {
    allNames.push(names[index] as ByteString);
    allInodes.push(inodes[index] as Inode);
  }
  return { names: allNames, inodes: allInodes, ...packRecords(allNames) };
}

/** How many of the sorted names come before this one. */
function lowerBound(names: readonly ByteString[], name: ByteString): number {
  const index = names.findIndex((each) => each >= name);
  return index === -1 ? names.length : index;
}

function packRecords(names: readonly ByteString[]): { blockEnds: number[]; tailBytes: number } {
  const blockEnds: number[] = [];
  let blockBytes = 0;
  for (let index = 0; index < names.length; index++) {
    const recordBytes = DIRENT_BYTES + (names[index] as ByteString).length;
    if (blockBytes + recordBytes > BLOCK_BYTES) {
      blockEnds.push(index);
      blockBytes = 0;
    }
    blockBytes += recordBytes;
  }
  if (blockBytes <= DIRECTORY_TAIL_MAX_BYTES) return { blockEnds, tailBytes: blockBytes };
  blockEnds.push(names.length);
  return { blockEnds, tailBytes: 0 };
}

function checkName(name: ByteString): void {
  if (name === "" || name === DOT || name === DOT_DOT || name.includes("/") || name.includes("\0")) {
    throw corrupt(`Cannot write EROFS image: ${quotePath(name)} is no file name`);
  }
  if (name.length > NAME_MAX_BYTES) {
    throw corrupt(`Cannot write EROFS image: file name of ${name.length} bytes, over 255: ${quotePath(name)}`);
  }
}

/** Writes the records `start..end` of a listing and their names at `offset`: one block, or the tail. */
export function writeRecords(
  out: ImageBuffer,
  offset: number,
  listing: DirectoryListing,
  start: number,
  end: number,
): void {
  let nameOffset = DIRENT_BYTES * (end - start);
  for (let index = start; index < end; index++) {
    const name = listing.names[index] as ByteString;
    const inode = listing.inodes[index] as Inode;
    const record = offset + DIRENT_BYTES * (index - start);
    out.view.setUint32(record, inode.nid, true); // the upper half is 0: images end at 2^32 blocks, inodes long before
    out.view.setUint16(record + 8, nameOffset, true);
    out.view.setUint8(record + 10, DIRENT_TYPES[inode.storedKind]);
    out.bytes.write(name, offset + nameOffset, "latin1");
    nameOffset += name.length;
  }
}
