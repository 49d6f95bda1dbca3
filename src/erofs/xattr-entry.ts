/** Extended attributes as written into an image (spec/erofs.md 3.2). */
import { alignUp, type ByteString } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { XATTR_ENTRY_HEADER_BYTES } from "./format.ts";
import type { ImageBuffer } from "./image-window.ts";
import type { XattrName } from "./xattr-name.ts";

const SUFFIX_MAX_BYTES = 255;
const VALUE_MAX_BYTES = 65535;

/** One attribute of an inode. */
export interface XattrEntry {
  readonly name: XattrName;
  readonly valueBytes: number;
  /** Offset in the table of shared attributes; -1 if the entry is not in it. */
  readonly tableOffset: number;
  /** Writes the value at `offset`. */
  writeValue(out: Buffer, offset: number): void;
}

/** Length of a stored entry. */
export function entryLength(entry: XattrEntry): number {
  return alignUp(XATTR_ENTRY_HEADER_BYTES + entry.name.suffix.length + entry.valueBytes, 4);
}

/** Writes an entry and returns its length. */
export function writeXattrEntry(out: ImageBuffer, offset: number, entry: XattrEntry): number {
  const { suffix, index } = entry.name;
  out.view.setUint8(offset, suffix.length);
  out.view.setUint8(offset + 1, index);
  out.view.setUint16(offset + 2, entry.valueBytes, true);
  out.bytes.write(suffix, offset + XATTR_ENTRY_HEADER_BYTES, "latin1");
  entry.writeValue(out.bytes, offset + XATTR_ENTRY_HEADER_BYTES + suffix.length);
  return entryLength(entry);
}

/** A name with a value; equal pairs in an image are one object. */
export class XattrPair implements XattrEntry {
  readonly name: XattrName;
  readonly value: ByteString;
  /** How many inodes have it. */
  uses = 0;
  tableOffset = -1;

  constructor(name: XattrName, value: ByteString) {
    if (name.suffix.length > SUFFIX_MAX_BYTES || value.length > VALUE_MAX_BYTES) {
      throw new SealrootError("unsupported", `Cannot store extended attribute ${name.full}: name or value too long`);
    }
    if (name.full === "" || name.full.includes("\0")) {
      throw corrupt(`Cannot store extended attribute ${JSON.stringify(name.full)}: no name of an attribute`);
    }
    this.name = name;
    this.value = value;
  }

  get valueBytes(): number {
    return this.value.length;
  }

  writeValue(out: Buffer, offset: number): void {
    out.write(this.value, offset, "latin1");
  }
}
