/** Names in a block of a directory as they are read (Linux Documentation/filesystems/ext4/directory.rst). */
import { type ByteString, byteString } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";

const HEADER_BYTES = 8;

/** A name and the number of its inode. */
export interface DirectoryName {
  readonly name: ByteString;
  readonly inode: number;
}

/**
 * The names in one block, without `.` and `..`. The blocks of an index look like unused entries, so that a directory
 * with an index is read like one without.
 *
 * @throws SealrootError `corrupt` for entries that do not fill the block
 */
export function readDirectoryBlock(bytes: Uint8Array): DirectoryName[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names: DirectoryName[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const left = bytes.length - offset;
    const lengthBytes = left < HEADER_BYTES ? 0 : entryLength(view.getUint16(offset + 4, true), bytes.length);
    const nameBytes = left < HEADER_BYTES ? 0 : view.getUint8(offset + 6);
    const isEntry = lengthBytes >= HEADER_BYTES + nameBytes && lengthBytes <= left && lengthBytes % 4 === 0;
    if (!isEntry) throw corrupt("Cannot read the root file system: a directory's entries are malformed", { offset });
    const inode = view.getUint32(offset, true);
    const name = byteString(bytes, offset + HEADER_BYTES, offset + HEADER_BYTES + nameBytes);
    if (inode !== 0 && name !== "." && name !== "..") names.push(checked(name, inode, offset));
    offset += lengthBytes;
  }
  return names;
}

/** rec_len has 16 bits: in blocks of 64 KiB, the whole block is written as 0 or 65535. */
function entryLength(length: number, blockBytes: number): number {
  return blockBytes === 2 ** 16 && (length === 0 || length === 2 ** 16 - 1) ? blockBytes : length;
}

function checked(name: ByteString, inode: number, offset: number): DirectoryName {
  if (name !== "" && !/[/\0]/.test(name)) return { name, inode };
  throw corrupt("Cannot read the root file system: a directory has a name that no file can have", { offset });
}
