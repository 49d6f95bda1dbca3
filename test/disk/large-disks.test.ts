/**
 * Disks of every size, sparse, each checked by the field's own checkers; the table is printed for the reader of the
 * run.
 */
import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { checkDisk, type DiskEntry, type EspFile, inMib, type PartitionPlan } from "../../src/disk/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { newMetadata } from "../../src/tree/index.ts";
import { makeSmallDisk, type SmallDisk } from "./small-disk.ts";

const GIB_IN_MIB = 1024;
const MIB = 1024 * 1024;
const SIZES_MIB = [2, 17, 64, 600, 8 * 1024].map((gib) => gib * GIB_IN_MIB);
/** Checking 8 TiB reads 260,000 groups: 10 s of processor time. */
const TIMEOUT_MS = 600_000;

const scratch = mkdtempSync(join(tmpdir(), "sealroot-large-disks-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
writeFileSync(join(scratch, "content"), Buffer.alloc(MIB, 1));

const metadata = newMetadata({ mode: 0o644 });
const entries: DiskEntry[] = [
  { kind: "file", path: byteStringOfText("file"), metadata, source: join(scratch, "content") },
];
const espFiles: EspFile[] = [
  { path: "loader/loader.conf", bytes: Buffer.from("timeout 5") },
  { path: "EFI/Linux/uki.efi", bytes: Buffer.alloc(5 * MIB, "uki") },
];

const COLUMNS = ["disk", "partition", "file system", "block", "inodes", "ESP clusters", "written", "verdict"];
const rows: string[][] = [COLUMNS];

for (const sizeMib of SIZES_MIB) {
  test(`a disk of ${sizeMib / GIB_IN_MIB} GiB is full-sized and sound`, { timeout: TIMEOUT_MS }, async () => {
    const directory = join(scratch, String(sizeMib));
    const made = await makeSmallDisk(directory, { sizeMib, epochSeconds: 1_700_000_000, espFiles, entries });
    await checkDisk(made.disk, made.plan, { espFiles, root: made.content });
    await judgeWithTools(made);
    rmSync(directory, { recursive: true });
  });
}

test("the table of disk sizes", (context) => {
  assert.equal(rows.length, 1 + SIZES_MIB.length);
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) context.diagnostic(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
});

/** Everything here is found by the tools and not by our own readers, and goes into the table. */
async function judgeWithTools({ disk, plan }: SmallDisk): Promise<void> {
  const path = join(disk.directory, disk.path);
  const image = `${path}?offset=${plan.root.startBytes}`;
  const verified = (await runTool("sfdisk", ["--verify", path])).stdout.toString();
  assert.match(verified, /^No errors detected\.$/m);
  const { partitiontable } = JSON.parse((await runTool("sfdisk", ["--json", path])).stdout.toString());
  const partitionBytes = 512 * partitiontable.partitions.find((part: { name: string }) => part.name === "root").size;
  assert.ok(plan.diskSizeBytes - plan.root.startBytes - partitionBytes <= 1 * MIB);
  const header = (await runTool("dumpe2fs", ["-h", image])).stdout.toString();
  const field = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(header)?.[1]);
  assert.equal(field("Block size"), 4096);
  assert.equal(field("Block count") * 4096, partitionBytes);
  const checked = await runTool("e2fsck", ["-f", "-n", image], { timeoutMs: TIMEOUT_MS });
  assert.match(checked.stdout.toString(), /^root: 13\/\d+ files \(\d/m);
  const clusterBytes = await judgeEsp(path, plan);
  rows.push([
    inMib(plan.diskSizeBytes),
    inMib(partitionBytes),
    inMib(field("Block count") * field("Block size")),
    String(field("Block size")),
    String(field("Inode count")),
    String(clusterBytes),
    inMib(statSync(path).blocks * 512),
    "sound",
  ]);
}

/** fsck.fat knows no offset. Everything beyond the files of the ESP has never been written. */
async function judgeEsp(path: string, plan: PartitionPlan): Promise<number> {
  const bytes = Buffer.alloc(64 * MIB);
  const file = openSync(path, "r");
  readSync(file, bytes, 0, bytes.length, plan.esp.startBytes);
  closeSync(file);
  const esp = `${path}-esp`;
  writeFileSync(esp, bytes);
  truncateSync(esp, plan.esp.sizeBytes);
  const { stdout, stderr } = await runTool("fsck.fat", ["-n", "-v", esp]);
  assert.equal(stderr, "");
  assert.doesNotMatch(stdout.toString(), /warning|dirty|wrong|differ/i);
  return Number(/^ *(\d+) bytes per cluster$/m.exec(stdout.toString())?.[1]);
}
