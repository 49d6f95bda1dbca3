/** A directory's records packed into blocks (spec/erofs.md 2.6). */
import { type ByteString, compareByteStrings } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { NAME_MAX_BYTES, quotePath } from "../tree/index.ts";
import { BLOCK_BYTES, DIRECTORY_TAIL_MAX_BYTES, DIRENT_BYTES, DIRENT_TYPES } from "./format.ts";
import type { DirectoryListing, Inode } from "./inode.ts";

const DOT = "." as ByteString;
const DOT_DOT = ".." as ByteString;

/** Sorts `.` and `..` in among a directory's entries and packs all of them, first fit in order. */
export function listDirectory(self: Inode, parent: Inode, children: ReadonlyMap<ByteString, Inode>): DirectoryListing {
  for (const name of children.keys()) checkName(name);
  const names = [...children.keys(), DOT, DOT_DOT].sort(compareByteStrings);
  const inodes = names.map((name) => (name === DOT ? self : name === DOT_DOT ? parent : (children.get(name) ?? self)));
  const blockEnds: number[] = [];
  let blockBytes = 0;
  names.forEach((name, index) => {
    const recordBytes = DIRENT_BYTES + name.length;
    if (blockBytes + recordBytes > BLOCK_BYTES) {
      blockEnds.push(index);
      blockBytes = 0;
    }
    blockBytes += recordBytes;
  });
  if (blockBytes > DIRECTORY_TAIL_MAX_BYTES) {
    blockEnds.push(names.length);
    blockBytes = 0;
  }
  return { names, inodes, blockEnds, tailBytes: blockBytes };
}

function checkName(name: ByteString): void {
  if (name === "" || name === DOT || name === DOT_DOT || name.includes("/") || name.includes("\0")) {
    throw corrupt(`Cannot write EROFS image: ${quotePath(name)} is no file name`);
  }
  if (name.length > NAME_MAX_BYTES) {
    throw corrupt(`Cannot write EROFS image: file name of ${name.length} bytes, over 255: ${quotePath(name)}`);
  }
}

/**
 * Writes the records `start..end` of a listing and their names at `offset`: one block, or the tail.
 * @param out the image, as a Buffer
 */
export function writeRecords(out: Buffer, offset: number, listing: DirectoryListing, start: number, end: number): void {
  let nameOffset = DIRENT_BYTES * (end - start);
  for (let index = start; index < end; index++) {
    const name = listing.names[index] as ByteString;
    const inode = listing.inodes[index] as Inode;
    const record = offset + DIRENT_BYTES * (index - start);
    out.writeUInt32LE(inode.nid % 2 ** 32, record);
    out.writeUInt32LE(Math.floor(inode.nid / 2 ** 32), record + 4);
    out.writeUInt16LE(nameOffset, record + 8);
    out.writeUInt8(DIRENT_TYPES[inode.storedKind], record + 10);
    out.write(name, offset + nameOffset, "latin1");
    nameOffset += name.length;
  }
}
