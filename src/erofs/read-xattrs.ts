/** Extended attributes read as they are stored (spec/erofs.md 3.2, 3.3, 3.6, 8). */
import { alignUp, type ByteString, byteString } from "../bytes/index.ts";
import { SHARED_XATTR_REFERENCE_BYTES, XATTR_AREA_HEADER_BYTES, XATTR_ENTRY_HEADER_BYTES } from "./format.ts";
import { imageError } from "./read-error.ts";
import type { RawInode } from "./read-inode.ts";
import type { ImageHeader } from "./read-superblock.ts";
import { filterMask, prefixOfIndex } from "./xattr-name.ts";

const FILTER_EMPTY = 0xffffffff;

/** A stored attribute under its full name; the value is a view of the image. */
export interface RawXattr {
  readonly name: ByteString;
  readonly value: Uint8Array;
}

interface StoredXattr extends RawXattr {
  readonly filterMask: number;
  readonly entryBytes: number;
}

/** Reads the attributes of an image's inodes; shared ones are read once. */
export class XattrReader {
  readonly #image: ImageHeader;
  readonly #shared = new Map<number, StoredXattr>();
  readonly #filterMasks = new Map<string, number>();
  /** Length of all shared entries read so far; they are in the image, so it bounds them. */
  #sharedBytes = 0;

  constructor(image: ImageHeader) {
    this.#image = image;
  }

  /** All attributes of an inode, shared ones first, in stored order. Names may repeat (spec 8, end). */
  read(inode: RawInode): RawXattr[] {
    const { view } = this.#image;
    const start = inode.xattrsOffset;
    const end = inode.tailOffset;
    if (start === end) return [];
    const sharedCount = view.getUint8(start + 4);
    let at = start + XATTR_AREA_HEADER_BYTES + sharedCount * SHARED_XATTR_REFERENCE_BYTES;
    if (at > end) throw imageError(start + 4, `${sharedCount} shared attributes do not fit the area`);
    const found: StoredXattr[] = [];
    for (let index = 0; index < sharedCount; index++) {
      found.push(this.#readShared(start + XATTR_AREA_HEADER_BYTES + index * SHARED_XATTR_REFERENCE_BYTES));
    }
    while (at < end) {
      const xattr = this.#readEntry(at, end);
      found.push(xattr);
      at += xattr.entryBytes;
    }
    const filter = found.reduce((bits, xattr) => bits & ~xattr.filterMask, FILTER_EMPTY) >>> 0;
    if (view.getUint32(start, true) !== filter) throw imageError(start, "the name filter does not fit the names");
    return found;
  }

  #readShared(referenceOffset: number): StoredXattr {
    const reference = this.#image.view.getUint32(referenceOffset, true);
    const offset = this.#image.sharedXattrsOffset + reference * 4;
    let xattr = this.#shared.get(offset);
    if (xattr === undefined) {
      if (offset + XATTR_ENTRY_HEADER_BYTES > this.#image.bytes.length) {
        throw imageError(referenceOffset, `shared attribute ${reference} is beyond the image`);
      }
      xattr = this.#readEntry(offset, this.#image.bytes.length);
      this.#shared.set(offset, xattr);
      this.#sharedBytes += xattr.entryBytes;
      if (this.#sharedBytes > this.#image.bytes.length) throw imageError(offset, "shared attributes that overlap");
    }
    return xattr;
  }

  #readEntry(offset: number, end: number): StoredXattr {
    const { bytes, view } = this.#image;
    const suffixBytes = view.getUint8(offset);
    const index = view.getUint8(offset + 1);
    const prefix = prefixOfIndex(index);
    if (prefix === undefined) throw imageError(offset + 1, `attribute name index ${index} is unknown`);
    const suffixStart = offset + XATTR_ENTRY_HEADER_BYTES;
    const valueStart = suffixStart + suffixBytes;
    const valueEnd = valueStart + view.getUint16(offset + 2, true);
    const entryBytes = alignUp(valueEnd - offset, 4);
    if (offset + entryBytes > end) throw imageError(offset, "an attribute reaches past the end of its area");
    const suffix = byteString(bytes, suffixStart, valueStart);
    const name = `${prefix}${suffix}` as ByteString;
    if (name === "" || name.includes("\0")) throw imageError(offset, "an invalid attribute name");
    return {
      name,
      value: bytes.subarray(valueStart, valueEnd),
      filterMask: this.#filterMask(index, suffix),
      entryBytes,
    };
  }

  #filterMask(index: number, suffix: ByteString): number {
    const key = `${index}.${suffix}`;
    let mask = this.#filterMasks.get(key);
    if (mask === undefined) {
      mask = filterMask(index, suffix);
      this.#filterMasks.set(key, mask);
    }
    return mask;
  }
}
