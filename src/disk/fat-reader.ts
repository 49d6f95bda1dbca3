/** Reads a FAT file system inside a disk without mounting it (Microsoft FAT specification 1.03; BPB_ and DIR_ are its names). */
import { corrupt, SealrootError } from "../errors/index.ts";
import type { ReadBytes } from "./ext4/ext4-reader.ts";
import { BOOT_SECTOR_BYTES, readFatGeometry } from "./fat-geometry.ts";

/** A file or directory. */
export interface FatEntry {
  /** The long name, or the short one. FAT compares names without case. */
  readonly name: string;
  readonly isDirectory: boolean;
  readonly sizeBytes: number;
  readonly firstCluster: number;
}

const ENTRY_BYTES = 32;
const ATTRIBUTE = { volumeLabel: 0x08, directory: 0x10, longName: 0x0f } as const;
/** DIR_Name[0]: deleted, and no more entries. */
const DELETED = 0xe5;
const LAST = 0x00;
/** DIR_NTRes: the short name's parts are shown in lower case (as Windows NT and Linux do). */
const LOWER_BASE = 0x08;
const LOWER_EXTENSION = 0x10;
/** Where the 13 characters of a long name's entry are. */
const LONG_NAME_OFFSETS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
const LONG_NAME_ORDER_MASK = 0x1f;
const LONG_NAME_FIRST = 0x40;
/** More than any directory of an ESP. */
const DIRECTORY_MAX_BYTES = 1 << 22;

export class FatReader {
  readonly #read: ReadBytes;
  readonly #type: "FAT12" | "FAT16" | "FAT32";
  readonly #clusterBytes: number;
  readonly #fatOffset: number;
  readonly #fatBytes: number;
  readonly #rootOffset: number;
  readonly #rootBytes: number;
  readonly #dataOffset: number;
  readonly #rootCluster: number;

  /** @throws SealrootError `corrupt` when there is no FAT */
  constructor(read: ReadBytes) {
    this.#read = read;
    const sector = read(0, BOOT_SECTOR_BYTES);
    const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
    const u16 = (offset: number): number => view.getUint16(offset, true);
    const { type, clusterBytes } = readFatGeometry(sector);
    const sectorBytes = u16(11); // BytsPerSec
    if (!(clusterBytes > 0) || ![512, 1024, 2048, 4096].includes(sectorBytes)) {
      throw corrupt("Cannot read the ESP: its boot sector is malformed", { offset: 11 });
    }
    this.#type = type;
    this.#clusterBytes = clusterBytes;
    this.#fatOffset = u16(14) * sectorBytes; // RsvdSecCnt
    this.#fatBytes = (u16(22) || view.getUint32(36, true)) * sectorBytes; // FATSz16, FATSz32
    this.#rootOffset = this.#fatOffset + view.getUint8(16) * this.#fatBytes; // NumFATs
    this.#rootBytes = u16(17) * ENTRY_BYTES; // RootEntCnt
    this.#dataOffset = this.#rootOffset + Math.ceil(this.#rootBytes / sectorBytes) * sectorBytes;
    this.#rootCluster = type === "FAT32" ? view.getUint32(44, true) : 0; // RootClus
  }

  /**
   * What is in a directory.
   * @param path parts without a leading slash; empty for the root
   * @returns undefined when nothing has that name
   * @throws SealrootError `unsupported` when it is a file
   */
  list(path: readonly string[]): FatEntry[] | undefined {
    let entries = this.#entries(this.#rootDirectory());
    for (const [index, part] of path.entries()) {
      const entry = entries.find(({ name }) => sameName(name, part));
      if (entry === undefined) return undefined;
      if (!entry.isDirectory) throw notA(path.slice(0, index + 1), "a directory");
      entries = this.#entries(
        entry.firstCluster === 0 ? this.#rootDirectory() : this.#chain(entry.firstCluster, DIRECTORY_MAX_BYTES),
      );
    }
    return entries;
  }

  /**
   * The content of a file.
   * @returns undefined when nothing has that name
   * @throws SealrootError `unsupported` when it is a directory or larger than the limit
   */
  read(path: readonly string[], limitBytes: number): Uint8Array | undefined {
    const entry = this.list(path.slice(0, -1))?.find(({ name }) => sameName(name, path.at(-1) ?? ""));
    if (entry === undefined) return undefined;
    if (entry.isDirectory) throw notA(path, "a file");
    if (entry.sizeBytes > limitBytes) {
      throw new SealrootError(
        "unsupported",
        `Cannot read ${path.join("/")} in the ESP: it has ${entry.sizeBytes} bytes`,
      );
    }
    if (entry.sizeBytes === 0) return new Uint8Array();
    const bytes = this.#chain(entry.firstCluster, entry.sizeBytes);
    if (bytes.length < entry.sizeBytes) throw corrupt(`Cannot read ${path.join("/")} in the ESP: it ends too early`);
    return bytes.subarray(0, entry.sizeBytes);
  }

  #rootDirectory(): Uint8Array {
    if (this.#type === "FAT32") return this.#chain(this.#rootCluster, DIRECTORY_MAX_BYTES);
    return this.#read(this.#rootOffset, this.#rootBytes);
  }

  /** The clusters of a file up to the limit, rounded up to whole ones. */
  #chain(firstCluster: number, limitBytes: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    for (let cluster = firstCluster; pieces.length * this.#clusterBytes < limitBytes; ) {
      if (cluster < 2) throw corrupt("Cannot read the ESP: a chain of clusters leads nowhere");
      pieces.push(this.#read(this.#dataOffset + (cluster - 2) * this.#clusterBytes, this.#clusterBytes));
      const next = this.#next(cluster);
      if (next === undefined) break;
      cluster = next;
    }
    return Buffer.concat(pieces);
  }

  /** The cluster that follows; undefined at the end ("FAT Data Structure"). */
  #next(cluster: number): number | undefined {
    const bits = { FAT12: 12, FAT16: 16, FAT32: 32 }[this.#type];
    const offset = Math.floor((cluster * bits) / 8);
    if (offset + 4 > this.#fatBytes + 2) throw corrupt("Cannot read the ESP: a chain of clusters leaves the table");
    const bytes = this.#read(this.#fatOffset + offset, bits === 32 ? 4 : 2);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bits === 32) {
      const value = view.getUint32(0, true) & 0x0fffffff;
      return value >= 0x0ffffff7 ? undefined : value;
    }
    const value = view.getUint16(0, true);
    if (bits === 16) return value >= 0xfff7 ? undefined : value;
    const twelve = cluster % 2 === 0 ? value & 0xfff : value >>> 4;
    return twelve >= 0xff7 ? undefined : twelve;
  }

  #entries(directory: Uint8Array): FatEntry[] {
    const found: FatEntry[] = [];
    let longName: string[] = [];
    for (let offset = 0; offset + ENTRY_BYTES <= directory.length; offset += ENTRY_BYTES) {
      const bytes = directory.subarray(offset, offset + ENTRY_BYTES);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const [first, attributes] = [view.getUint8(0), view.getUint8(11)];
      if (first === LAST) break;
      if (first === DELETED) {
        longName = [];
      } else if (attributes === ATTRIBUTE.longName) {
        // Before the entry they belong to, the last part first.
        if (first & LONG_NAME_FIRST) longName = [];
        longName[(first & LONG_NAME_ORDER_MASK) - 1] = longNamePart(view);
      } else {
        const name = longName.length > 0 ? (longName.join("").split("\0")[0] ?? "") : shortName(bytes);
        longName = [];
        if (attributes & ATTRIBUTE.volumeLabel || name === "." || name === "..") continue;
        const highCluster = this.#type === "FAT32" ? view.getUint16(20, true) : 0;
        found.push({
          name,
          isDirectory: (attributes & ATTRIBUTE.directory) !== 0,
          sizeBytes: view.getUint32(28, true),
          firstCluster: highCluster * 2 ** 16 + view.getUint16(26, true),
        });
      }
    }
    return found;
  }
}

function longNamePart(view: DataView): string {
  return String.fromCharCode(...LONG_NAME_OFFSETS.map((offset) => view.getUint16(offset, true)));
}

function shortName(bytes: Uint8Array): string {
  const part = (start: number, end: number, isLower: boolean): string => {
    const text = Buffer.from(bytes.subarray(start, end)).toString("latin1").trimEnd();
    return isLower ? text.toLowerCase() : text;
  };
  const flags = bytes[12] ?? 0;
  const base = part(0, 8, (flags & LOWER_BASE) !== 0);
  const extension = part(8, 11, (flags & LOWER_EXTENSION) !== 0);
  return extension === "" ? base : `${base}.${extension}`;
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function notA(path: readonly string[], wanted: string): SealrootError {
  return new SealrootError("unsupported", `Cannot read ${path.join("/")} in the ESP: it is not ${wanted}`);
}
