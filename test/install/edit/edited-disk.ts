/** Small installed disks for the tests of `install edit`. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { PARTITION_TYPE, readDiskPartitions } from "../../../src/disk/index.ts";
import { installToDisk } from "../../../src/install/index.ts";
import { runTool } from "../../../src/platform/index.ts";
import { run } from "../../cli/run-verb.ts";
import { baseFiles, type ImageFile, type SealOptions, SMALL_DISK, sealImage } from "../sealed-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-edit-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A directory of its own for a test. */
export function folder(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path, { recursive: true });
  return path;
}

export interface TestDisk {
  readonly path: string;
  readonly deploymentId: string;
  readonly rootBytes: number;
}

/** Installs an image of the base files and these. */
export async function installed(
  name: string,
  files: readonly ImageFile[] = [],
  seal: SealOptions = {},
): Promise<TestDisk> {
  const { reference, deploymentId } = await sealImage(folder(`${name}/image`), [...baseFiles(), ...files], seal);
  const { path } = await installToDisk({
    target: join(folder(name), "disk.img"),
    source: reference,
    ...SMALL_DISK,
    sourceDateEpoch: 1_700_000_000,
    events: () => {},
  });
  return { path, deploymentId, rootBytes: await startOf(path, PARTITION_TYPE.rootX8664) };
}

/** Where the partition of a type begins. */
export async function startOf(disk: string, typeGuid: string): Promise<number> {
  const { partitions } = await readDiskPartitions(disk);
  const found = partitions.find((partition) => partition.typeGuid === typeGuid);
  assert.ok(found !== undefined);
  return found.startBytes;
}

/** A copy in a directory of its own. */
export function copyOf(disk: TestDisk, name: string): TestDisk {
  const path = join(folder(name), "disk.img");
  copyFileSync(disk.path, path);
  return { ...disk, path };
}

/** Runs a verb of `install edit` that must succeed, and returns what it printed. */
export async function edit(verb: string, disk: TestDisk, ...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run("install", "edit", verb, disk.path, ...words);
  assert.equal(exitCode, 0, `${verb} ${words.join(" ")}: ${err}`);
  return out;
}

/** Runs a verb that must be refused, and leave the disk as it was; returns what it said. */
export async function refused(verb: string, disk: TestDisk, ...words: string[]): Promise<string> {
  const before = digestOf(disk.path);
  const { exitCode, out, err } = await run("install", "edit", verb, disk.path, ...words);
  assert.notEqual(exitCode, 0, `${verb} ${words.join(" ")}: ${out}`);
  assert.equal(digestOf(disk.path), before);
  return err;
}

/** SHA-256 of a file. */
export function digestOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** What debugfs prints for a request. */
export async function debugfs(disk: TestDisk, request: string, ...options: string[]): Promise<string> {
  const { stdout } = await runTool("debugfs", [...options, "-R", request, `${disk.path}?offset=${disk.rootBytes}`]);
  return stdout.toString("latin1");
}

/** e2fsck, by itself, finds nothing. */
export async function assertClean(disk: TestDisk): Promise<void> {
  await runTool("e2fsck", ["-f", "-n", `${disk.path}?offset=${disk.rootBytes}`]);
}
