/** The partitions of an installed disk, open for reading as an ordinary user. */

import { readSync } from "node:fs";
import { beginsLikeLuks, LUKS_HEADER_BYTES, type LuksVolume, readLuksVolume } from "../bootplan/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { readUpTo } from "../platform/index.ts";
import { Ext4Reader, type ReadBytes } from "./ext4/ext4-reader.ts";
import { Ext4Tree } from "./ext4/ext4-tree.ts";
import { FatReader } from "./fat-reader.ts";
import { type Partition, readPartitionTable } from "./gpt.ts";
import { SECTOR_BYTES } from "./partition-plan.ts";
import { PARTITION_TYPE } from "./partition-types.ts";

/** What an installed disk holds. */
export interface InstalledDiskParts {
  /** Undefined on a disk without one. */
  readonly esp: FatReader | undefined;
  readonly root: Ext4Tree;
  readonly rootPartition: Partition;
}

/** What can be read of an installed disk without opening its root. */
export interface DiskLayout extends Pick<InstalledDiskParts, "esp" | "rootPartition"> {
  /** Of a root that is encrypted. */
  readonly encrypted: LuksVolume | undefined;
  /** The root of another disk. @throws SealrootError `unsupported` when it is not ext4; `corrupt` */
  openRoot(): Ext4Tree;
}

/** What is at the beginning of a partition or disk that is something else. */
const FOREIGN: readonly (readonly [name: string, offset: number, magic: string])[] = [
  ["xfs", 0, "XFSB"],
  ["btrfs", 0x10040, "_BHRfS_M"],
  ["LUKS", 0, "LUKS\xba\xbe"],
];
const QCOW2_MAGIC = "QFI\xfb";

/**
 * Finds the ESP and the root file system of a disk.
 *
 * @param fd open for reading as long as the parts are used
 * @throws SealrootError `not-found` without partition table or root partition; `unsupported` when the root is not ext4, or
 *   there are several; `corrupt`
 */
export async function readInstalledDisk(fd: number, path: string): Promise<InstalledDiskParts> {
  const parts = await findParts(fd, path);
  return { ...parts, root: openRoot(fd, path, parts.rootPartition) };
}

/**
 * As {@link readInstalledDisk}, of an encrypted disk too; the root is not looked into.
 * @throws SealrootError also as readLuksVolume
 */
export async function readDiskLayout(fd: number, path: string): Promise<DiskLayout> {
  const parts = await findParts(fd, path);
  const { rootPartition } = parts;
  const encrypted = readEncryptedPartition(fd, rootPartition);
  return { ...parts, encrypted, openRoot: () => openRoot(fd, path, rootPartition) };
}

function openRoot(fd: number, path: string, partition: Partition): Ext4Tree {
  refuseForeign(fd, path, partition);
  return new Ext4Tree(new Ext4Reader(bytesOf(fd, partition)));
}

/** The volume in a partition; undefined when it is none of LUKS. @throws SealrootError as readLuksVolume */
export function readEncryptedPartition(
  fd: number,
  partition: Pick<Partition, "startBytes" | "sizeBytes" | "name">,
): LuksVolume | undefined {
  const read = bytesOf(fd, partition);
  const isLuks = partition.sizeBytes >= LUKS_HEADER_BYTES && beginsLikeLuks(read(0, SECTOR_BYTES));
  return isLuks ? readLuksVolume(read(0, LUKS_HEADER_BYTES)) : undefined;
}

async function findParts(fd: number, path: string): Promise<Pick<InstalledDiskParts, "esp" | "rootPartition">> {
  refuseQcow2(fd, path);
  const { partitions } = await readPartitionTable(async (offset, length) => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
  });
  const ofType = (...types: string[]) => partitions.filter(({ typeGuid }) => types.includes(typeGuid));
  const [rootPartition, ...others] = ofType(PARTITION_TYPE.rootX8664, PARTITION_TYPE.rootArm64);
  if (rootPartition === undefined) {
    throw new SealrootError("not-found", `Cannot read the disk ${path}: it has no root partition`, { path });
  }
  if (others.length > 0) {
    throw new SealrootError("unsupported", `Cannot read the disk ${path}: it has several root partitions`, { path });
  }
  const esp = ofType(PARTITION_TYPE.efiSystem)[0];
  return { esp: esp && new FatReader(bytesOf(fd, esp)), rootPartition };
}

/** @throws SealrootError `unsupported` for a disk in the format of QEMU, in which partitions are not where they are said to be */
export function refuseQcow2(fd: number, path: string): void {
  if (textAt(fd, 0, QCOW2_MAGIC.length) !== QCOW2_MAGIC) return;
  throw new SealrootError("unsupported", `Cannot read the disk ${path}: it is a qcow2 image`, {
    path,
    hint: "qemu-img convert -O raw makes a plain disk file of it",
  });
}

/**
 * The root file system of a disk whose partition is known, as another thread reads it.
 * @throws SealrootError as Ext4Reader
 */
export function readRootPartition(
  fd: number,
  partition: Pick<Partition, "startBytes" | "sizeBytes" | "name">,
): Ext4Reader {
  return new Ext4Reader(bytesOf(fd, partition));
}

/**
 * The ESP of a disk whose partition is known.
 * @throws SealrootError `corrupt` when there is no FAT
 */
export function readEspPartition(
  fd: number,
  partition: Pick<Partition, "startBytes" | "sizeBytes" | "name">,
): FatReader {
  return new FatReader(bytesOf(fd, partition));
}

function refuseForeign(fd: number, path: string, { startBytes }: Partition): void {
  const found = FOREIGN.find(([, offset, magic]) => textAt(fd, startBytes + offset, magic.length) === magic);
  if (found === undefined) return;
  throw new SealrootError("unsupported", `Cannot read the disk ${path}: its root is ${found[0]}, not plain ext4`, {
    path,
    actual: found[0],
    hint: `as root, ${found[0] === "LUKS" ? "open it (cryptsetup open), mount what is in it" : "mount its root partition"} and run: sealroot install mount --sysroot DIR --latest TARGET`,
  });
}

function textAt(fd: number, offset: number, length: number): string {
  const bytes = Buffer.alloc(length);
  return bytes.toString("latin1", 0, readSync(fd, bytes, 0, length, offset));
}

/** Nothing outside the partition is read, whatever its content says. */
function bytesOf(
  fd: number,
  { startBytes, sizeBytes, name }: Pick<Partition, "startBytes" | "sizeBytes" | "name">,
): ReadBytes {
  return (offset, length, memory) => {
    const isInside = offset >= 0 && offset + length <= sizeBytes;
    if (!isInside) {
      throw corrupt(`Cannot read the partition ${name}: something in it is said to be behind its end`, { offset });
    }
    const bytes = memory?.subarray(0, length) ?? Buffer.allocUnsafe(length);
    if (readUpTo(fd, bytes, startBytes + offset) === length) return bytes;
    throw corrupt(`Cannot read the partition ${name}: the disk ends before it`);
  };
}
