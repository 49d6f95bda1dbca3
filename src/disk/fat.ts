/** Makes the FAT file system of an ESP inside a disk and fills it, with mkfs.vfat(8) and mtools, as an ordinary user. */
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alignUp } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { runDiskTool } from "./disk-tool.ts";
import { espClusterBytes } from "./fat-geometry.ts";
import { volumeIdOfGuid } from "./guid.ts";
import { inMib, type PlannedPartition, SECTOR_BYTES } from "./partition-plan.ts";
import type { WorkDisk } from "./work-disk.ts";

/** A file of the ESP. */
export interface EspFile {
  /** Path without leading slash, such as `EFI/BOOT/BOOTX64.EFI`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface EspOptions {
  readonly partition: PlannedPartition;
  readonly files: readonly EspFile[];
  /** Directories that exist even when empty; parents of files need not be listed. */
  readonly directories: readonly string[];
  /** Time of every directory and file, seconds since 1970. */
  readonly epochSeconds: number;
}

/**
 * Without MTOOLS_SKIP_CHECK, mtools compares with the size of the whole disk file. The others are mtools's defaults, which
 * the host's /etc/mtools.conf may have changed.
 */
export const MTOOLS_ENVIRONMENT = {
  MTOOLS_SKIP_CHECK: "1",
  MTOOLSRC: "/dev/null",
  MTOOLS_FAT_COMPATIBILITY: "0",
  MTOOLS_LOWER_CASE: "0",
  MTOOLS_NO_VFAT: "0",
  MTOOLS_NAME_NUMERIC_TAIL: "1",
};
const VOLUME_LABEL = "EFI-SYSTEM";
const KIB = 1024;
const TIMEOUT_MS = 300_000;
/** FAT counts from 1980 (Microsoft FAT specification, "Date and Time Formats"). */
const FAT_EPOCH_SECONDS = 315_532_800;
/**
 * Heads and sectors per track, which firmware ignores. By default mkfs.vfat derives them from the whole disk's length;
 * and as it makes whole tracks, only values that divide a MiB fill the partition.
 */
const GEOMETRY = "64/32";

/**
 * Makes the ESP's file system and writes the files in byte order of their paths, so that equal inputs give equal bytes.
 *
 * @throws SealrootError `missing-tool`; `failed`
 */
export async function writeEsp(disk: WorkDisk, options: EspOptions): Promise<void> {
  await makeFileSystem(disk, options.partition);
  const image = `${disk.path}@@${options.partition.startBytes}`;
  const epochSeconds = Math.max(options.epochSeconds, FAT_EPOCH_SECONDS);
  const env = { SOURCE_DATE_EPOCH: String(epochSeconds), ...MTOOLS_ENVIRONMENT };
  const directories = directoriesOf(options);
  const run = { env, timeoutMs: TIMEOUT_MS };
  await runDiskTool(disk, "mmd", ["-i", image, ...directories.map((path) => `::/${path}`)], run);
  for (const [index, file] of [...options.files].sort(byPath).entries()) {
    const name = `esp-${index}`;
    const source = join(disk.directory, name);
    writeFileSync(source, file.bytes);
    utimesSync(source, epochSeconds, epochSeconds);
    await runDiskTool(disk, "mcopy", ["-m", "-i", image, name, `::/${file.path}`], run);
  }
}

/** Content of one file of an ESP, read with mtools. @throws SealrootError `failed` when it does not exist */
export async function readEspFile(disk: WorkDisk, startBytes: number, path: string): Promise<Uint8Array> {
  const args = ["-i", `${disk.path}@@${startBytes}`, `::/${path}`];
  const { stdout } = await runDiskTool(disk, "mtype", args, { env: MTOOLS_ENVIRONMENT, timeoutMs: TIMEOUT_MS });
  return stdout;
}

async function makeFileSystem(disk: WorkDisk, partition: PlannedPartition): Promise<void> {
  const startSectors = partition.startBytes / SECTOR_BYTES;
  const volumeId = volumeIdOfGuid(partition.guid).toString(16).padStart(8, "0");
  const clusterSectors = espClusterBytes(partition.sizeBytes) / SECTOR_BYTES;
  const shape = ["-F", "32", "-s", String(clusterSectors), "-g", GEOMETRY];
  const identity = ["--invariant", "-h", String(startSectors), "-i", volumeId, "-n", VOLUME_LABEL];
  const place = ["--offset", String(startSectors), disk.path, String(partition.sizeBytes / KIB)];
  const args = [...shape, ...identity, ...place];
  await runDiskTool(disk, "mkfs.vfat", args, { timeoutMs: TIMEOUT_MS });
}

/** The folders that files lie in, parents before children. */
export function parentsOfEspFiles(files: readonly EspFile[]): string[] {
  return directoriesOf({ files, directories: [] });
}

/** Parents before children, in byte order. */
function directoriesOf(options: Pick<EspOptions, "files" | "directories">): string[] {
  const found = new Set<string>();
  const add = (path: string): void => {
    const parts = path.split("/");
    for (let length = 1; length <= parts.length; length++) found.add(parts.slice(0, length).join("/"));
  };
  for (const path of options.directories) add(path);
  for (const file of options.files) {
    const slash = file.path.lastIndexOf("/");
    if (slash > 0) add(file.path.slice(0, slash));
  }
  return [...found].sort();
}

/**
 * Checks that the files fit, each in whole clusters, before anything is written. Two copies of the FAT take at most
 * 1/32 of the partition; the same is reserved for what firmware and boot loader add.
 *
 * @throws SealrootError `no-space`
 */
export function checkEspFits(options: Pick<EspOptions, "partition" | "files" | "directories">): void {
  const { sizeBytes } = options.partition;
  const clusterBytes = espClusterBytes(sizeBytes);
  const fileBytes = options.files.reduce((sum, file) => sum + alignUp(file.bytes.length, clusterBytes), 0);
  const neededBytes = fileBytes + directoriesOf(options).length * clusterBytes;
  const usableBytes = Math.floor((sizeBytes * 15) / 16);
  if (neededBytes <= usableBytes) return;
  throw new SealrootError(
    "no-space",
    `Cannot install the image: the EFI system partition (${inMib(sizeBytes)}) is too small for ${inMib(neededBytes)} in ${options.files.length} files`,
    { expected: String(neededBytes), actual: String(usableBytes) },
  );
}

function byPath(a: EspFile, b: EspFile): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
