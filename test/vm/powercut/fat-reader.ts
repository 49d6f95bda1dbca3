/**
 * Files of a FAT32 file system as firmware reads them, without mounting it (Microsoft FAT specification 1.03; fields by
 * their names there).
 */
import { corrupt } from "../../../src/errors/index.ts";
import type { ReadAt } from "./ext4-reader.ts";

const SLOT_BYTES = 32;
const ATTR_DIRECTORY = 0x10;
const ATTR_VOLUME_ID = 0x08;
const ATTR_LONG_NAME = 0x0f;
const LAST_LONG_ENTRY = 0x40;
const FREE_SLOT = 0xe5;
/** Where a slot of a long name has its characters. */
const LONG_NAME_OFFSETS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
const CLUSTER_MASK = 0x0fffffff;
const END_OF_CHAIN = 0x0ffffff8;
/** DIR_NTRes: base and extension are in small letters. */
const LOWER_BASE = 0x08;
const LOWER_EXTENSION = 0x10;

export interface FatEntry {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly firstCluster: number;
  readonly sizeBytes: number;
  /** Of its short slot, in the file system. */
  readonly slotOffset: number;
}

export class FatReader {
  readonly #read: ReadAt;
  readonly #fatOffset: number;
  readonly #dataOffset: number;
  readonly #clusterBytes: number;
  readonly #clusterCount: number;
  readonly #root: FatEntry;

  /** @throws SealrootError `corrupt` */
  constructor(read: ReadAt) {
    this.#read = read;
    const boot = read(0, 512);
    if (boot.readUInt16LE(510) !== 0xaa55) throw corrupt("Cannot read the ESP: there is no boot sector");
    const sectorBytes = boot.readUInt16LE(11); // BPB_BytsPerSec
    this.#clusterBytes = boot.readUInt8(13) * sectorBytes; // BPB_SecPerClus
    this.#fatOffset = boot.readUInt16LE(14) * sectorBytes; // BPB_RsvdSecCnt
    const fatBytes = boot.readUInt8(16) * boot.readUInt32LE(36) * sectorBytes; // BPB_NumFATs, BPB_FATSz32
    this.#dataOffset = this.#fatOffset + fatBytes;
    const dataBytes = boot.readUInt32LE(32) * sectorBytes - this.#dataOffset; // BPB_TotSec32
    this.#clusterCount = Math.floor(dataBytes / this.#clusterBytes);
    const firstCluster = boot.readUInt32LE(44); // BPB_RootClus
    this.#root = { name: "", isDirectory: true, firstCluster, sizeBytes: 0, slotOffset: 0 };
  }

  /** @throws SealrootError `corrupt` for a chain that is broken */
  clusters({ firstCluster, name }: FatEntry): number[] {
    const chain: number[] = [];
    for (let cluster = firstCluster; cluster < END_OF_CHAIN; ) {
      const isPlace = cluster >= 2 && cluster < this.#clusterCount + 2;
      if (!isPlace || chain.length > this.#clusterCount) {
        throw corrupt(`Cannot read "${name}" on the ESP: its chain leads to cluster ${cluster}`);
      }
      chain.push(cluster);
      cluster = this.#read(this.#fatOffset + cluster * 4, 4).readUInt32LE(0) & CLUSTER_MASK;
    }
    return chain;
  }

  /** In the order of the directory, without `.` and `..`. A long name counts when its checksum is that of its short one. */
  list(directory: FatEntry): FatEntry[] {
    const found: FatEntry[] = [];
    let long = { text: "", checksum: -1 };
    for (const cluster of this.clusters(directory)) {
      const start = this.#offsetOf(cluster);
      const bytes = this.#read(start, this.#clusterBytes);
      for (let at = 0; at < bytes.length; at += SLOT_BYTES) {
        const slot = bytes.subarray(at, at + SLOT_BYTES);
        const first = slot.readUInt8(0);
        if (first === 0) return found;
        if (first === FREE_SLOT) {
          long = { text: "", checksum: -1 };
        } else if (slot.readUInt8(11) === ATTR_LONG_NAME) {
          const text = longCharacters(slot);
          const checksum = slot.readUInt8(13);
          const isNext = (first & LAST_LONG_ENTRY) === 0 && long.checksum === checksum;
          long = { text: isNext ? text + long.text : text, checksum };
        } else {
          const isLong = long.text !== "" && long.checksum === shortChecksum(slot);
          const name = isLong ? long.text : shortName(slot);
          long = { text: "", checksum: -1 };
          if ((slot.readUInt8(11) & ATTR_VOLUME_ID) !== 0 || name === "." || name === "..") continue;
          found.push({
            name,
            isDirectory: (slot.readUInt8(11) & ATTR_DIRECTORY) !== 0,
            firstCluster: slot.readUInt16LE(20) * 2 ** 16 + slot.readUInt16LE(26),
            sizeBytes: slot.readUInt32LE(28),
            slotOffset: start + at,
          });
        }
      }
    }
    return found;
  }

  /** Undefined when it does not exist. */
  find(path: string): FatEntry | undefined {
    let at: FatEntry | undefined = this.#root;
    for (const part of path.split("/").filter((name) => name !== "")) {
      if (at === undefined || !at.isDirectory) return undefined;
      at = this.list(at).find(({ name }) => name.toLowerCase() === part.toLowerCase());
    }
    return at;
  }

  /** @throws SealrootError `corrupt` when the chain is shorter than the file */
  contentOf(file: FatEntry): Buffer {
    if (file.sizeBytes === 0) return Buffer.alloc(0);
    const bytes = Buffer.concat(this.clusters(file).map((at) => this.#read(this.#offsetOf(at), this.#clusterBytes)));
    if (bytes.length >= file.sizeBytes) return bytes.subarray(0, file.sizeBytes);
    throw corrupt(`Cannot read "${file.name}" on the ESP: its chain has ${bytes.length} of ${file.sizeBytes} bytes`);
  }

  #offsetOf(cluster: number): number {
    return this.#dataOffset + (cluster - 2) * this.#clusterBytes;
  }
}

function longCharacters(slot: Buffer): string {
  const units = LONG_NAME_OFFSETS.map((offset) => slot.readUInt16LE(offset));
  const end = units.indexOf(0);
  return String.fromCharCode(...(end === -1 ? units : units.slice(0, end)));
}

/** ChkSum() of the specification. */
function shortChecksum(slot: Buffer): number {
  let sum = 0;
  for (const byte of slot.subarray(0, 11)) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  return sum;
}

function shortName(slot: Buffer): string {
  const flags = slot.readUInt8(12);
  const base = slot.toString("latin1", 0, 8).trimEnd();
  const extension = slot.toString("latin1", 8, 11).trimEnd();
  const left = (flags & LOWER_BASE) !== 0 ? base.toLowerCase() : base;
  const right = (flags & LOWER_EXTENSION) !== 0 ? extension.toLowerCase() : extension;
  return right === "" ? left : `${left}.${right}`;
}
