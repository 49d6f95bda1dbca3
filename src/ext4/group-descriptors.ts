/** The descriptors of block groups, of 64 bytes each (Linux Documentation/filesystems/ext4/group_descr.rst). */
import { crc32c, crc32cOfNumber } from "./crc32c.ts";

/** bg_flags */
export const GROUP_FLAGS = { inodesUninitialized: 0x1, blocksUninitialized: 0x2, tableZeroed: 0x4 } as const;

const CHECKSUM_OFFSET = 0x1e;

/** One descriptor in the table's bytes, which it changes. Counts are below 2^16 with 32768 blocks a group. */
export class GroupDescriptor {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get blockBitmapBlock(): number {
    return this.#wide(0x0, 0x20);
  }

  get inodeBitmapBlock(): number {
    return this.#wide(0x4, 0x24);
  }

  get inodeTableBlock(): number {
    return this.#wide(0x8, 0x28);
  }

  get freeBlocks(): number {
    return this.#view.getUint16(0xc, true);
  }

  set freeBlocks(count: number) {
    this.#view.setUint16(0xc, count, true);
  }

  get freeInodes(): number {
    return this.#view.getUint16(0xe, true);
  }

  set freeInodes(count: number) {
    this.#view.setUint16(0xe, count, true);
  }

  get directories(): number {
    return this.#view.getUint16(0x10, true);
  }

  set directories(count: number) {
    this.#view.setUint16(0x10, count, true);
  }

  get flags(): number {
    return this.#view.getUint16(0x12, true);
  }

  set flags(flags: number) {
    this.#view.setUint16(0x12, flags, true);
  }

  /** Inodes at the end of the table that have never been used. */
  get unusedInodes(): number {
    return this.#view.getUint16(0x1c, true);
  }

  set unusedInodes(count: number) {
    this.#view.setUint16(0x1c, count, true);
  }

  setBlockBitmapChecksum(checksum: number): void {
    this.#view.setUint16(0x18, checksum & 0xffff, true);
    this.#view.setUint16(0x38, checksum >>> 16, true);
  }

  setInodeBitmapChecksum(checksum: number): void {
    this.#view.setUint16(0x1a, checksum & 0xffff, true);
    this.#view.setUint16(0x3a, checksum >>> 16, true);
  }

  /** Writes the descriptor's own checksum, once everything else is final (checksums.rst). */
  sign(group: number, checksumSeed: number): void {
    this.#view.setUint16(CHECKSUM_OFFSET, 0, true);
    const checksum = crc32c(crc32cOfNumber(checksumSeed, group), this.#bytes);
    this.#view.setUint16(CHECKSUM_OFFSET, checksum & 0xffff, true);
  }

  #wide(low: number, high: number): number {
    return this.#view.getUint32(low, true) + this.#view.getUint32(high, true) * 2 ** 32;
  }
}
