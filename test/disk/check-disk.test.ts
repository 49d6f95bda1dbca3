import assert from "node:assert/strict";
import { closeSync, copyFileSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { checkDisk, type DiskEntry, type EspFile, type PartitionPlan } from "../../src/disk/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { newMetadata } from "../../src/tree/index.ts";
import { makeSmallDisk } from "./small-disk.ts";

const MIB = 1024 * 1024;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-check-disk-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

writeFileSync(join(scratch, "content"), Buffer.alloc(MIB, 1));
const entries: DiskEntry[] = [
  {
    kind: "file",
    path: byteStringOfText("file"),
    metadata: newMetadata({ mode: 0o644 }),
    source: join(scratch, "content"),
  },
];
const espFiles: EspFile[] = [{ path: "loader/loader.conf", bytes: Buffer.from("timeout 5") }];
const options = { sizeMib: 256, espMib: 96, epochSeconds: 1_700_000_000, espFiles, entries };
const { disk, plan, content: planned } = await makeSmallDisk(join(scratch, "good"), options);
const content = { espFiles, root: planned };

test("a disk as it was planned is accepted", async () => {
  await checkDisk(disk, plan, content);
});

interface Damage {
  readonly name: string;
  /** Field of the superblock (from the root partition's beginning) or of the boot sector (from the ESP's). */
  readonly place: "root" | "esp";
  readonly offset: number;
  readonly bytes: readonly number[];
  readonly message: RegExp;
}

const SUPERBLOCK = 1024;
const DAMAGES: readonly Damage[] = [
  {
    name: "another block size",
    place: "root",
    offset: SUPERBLOCK + 0x18,
    bytes: [0],
    message: /the block size of the root file system is 1024, planned was 4096$/,
  },
  {
    name: "another number of blocks",
    place: "root",
    offset: SUPERBLOCK + 0x4,
    bytes: [0, 0x30, 0, 0],
    message: /the number of blocks of the root file system is 12288, planned was \d+$/,
  },
  {
    name: "a number of blocks beyond 2^32",
    place: "root",
    offset: SUPERBLOCK + 0x150,
    bytes: [1],
    message: /the number of blocks of the root file system is 4295\d+, planned was \d+$/,
  },
  {
    name: "another number of reserved blocks",
    place: "root",
    offset: SUPERBLOCK + 0x8,
    bytes: [0, 0, 0, 0],
    message: /the number of reserved blocks of the root file system is 0, planned was \d+$/,
  },
  {
    name: "another inode size",
    place: "root",
    offset: SUPERBLOCK + 0x58,
    bytes: [128, 0],
    message: /the inode size of the root file system is 128, planned was 256$/,
  },
  {
    name: "another number of inodes",
    place: "root",
    offset: SUPERBLOCK,
    bytes: [0, 1, 0, 0],
    message: /the number of inodes of the root file system is 256, planned was \d+$/,
  },
  {
    name: "a feature that is missing",
    place: "root",
    offset: SUPERBLOCK + 0x64,
    bytes: [0x6b, 0x4],
    message: /the read-only features of the root file system is 1131, planned was 33899$/,
  },
  {
    name: "a journal to be replayed",
    place: "root",
    offset: SUPERBLOCK + 0x60,
    bytes: [0xc6],
    message: /the incompatible features of the root file system is 710, planned was 706$/,
  },
  {
    name: "no journal",
    place: "root",
    offset: SUPERBLOCK + 0x5c,
    bytes: [0x38],
    message: /the compatible features of the root file system is 4152, planned was 4156$/,
  },
  {
    name: "fewer free blocks",
    place: "root",
    offset: SUPERBLOCK + 0xc,
    bytes: [0, 1, 0, 0],
    message: /the number of free blocks of the root file system is 256, planned was at least \d+$/,
  },
  {
    name: "no root file system",
    place: "root",
    offset: SUPERBLOCK + 0x38,
    bytes: [0],
    message: /^Cannot read the root file system: there is no ext4 superblock$/,
  },
  {
    name: "FAT16",
    place: "esp",
    offset: 32,
    bytes: [0x00, 0x80, 0, 0],
    message: /the kind of FAT of the ESP is FAT16, planned was FAT32$/,
  },
  {
    name: "FAT12",
    place: "esp",
    offset: 32,
    bytes: [0x00, 0x10, 0, 0],
    message: /the kind of FAT of the ESP is FAT12, planned was FAT32$/,
  },
  {
    name: "another size of the ESP",
    place: "esp",
    offset: 32,
    bytes: [0xf8, 0xff, 2, 0],
    message: /the size of the ESP is 100659200, planned was 100663296$/,
  },
  { name: "no ESP", place: "esp", offset: 510, bytes: [0], message: /^Cannot read the ESP: there is no boot sector$/ },
];

for (const { name, place, offset, bytes, message } of DAMAGES) {
  test(`refused: ${name}`, async () => {
    const start = plan[place].startBytes + offset;
    const original = patch(start, Buffer.from(bytes));
    await assert.rejects(checkDisk(disk, plan, content), (error: Error & { code?: string }) => {
      assert.equal(error.code, "corrupt");
      assert.match(error.message, message);
      return true;
    });
    patch(start, original);
  });
}

/** Writes over the disk and returns what was there. */
function patch(offset: number, bytes: Uint8Array): Buffer {
  const file = openSync(join(disk.directory, disk.path), "r+");
  const original = Buffer.alloc(bytes.length);
  readSync(file, original, 0, bytes.length, offset);
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
  return original;
}

/** As the tools made it before their block and cluster sizes were stated. */
async function withTool(run: (copy: string, plan: PartitionPlan) => Promise<unknown>): Promise<void> {
  const copy = join(disk.directory, "made-otherwise");
  copyFileSync(join(disk.directory, "disk"), copy);
  await run(copy, plan);
  await checkDisk({ directory: disk.directory, path: "made-otherwise" }, plan, content);
}

test("refused: a file system that fills a quarter of its partition", async () => {
  const made = withTool((copy, { root }) =>
    runTool("mke2fs", [
      "-q",
      "-F",
      "-t",
      "ext4",
      "-E",
      `offset=${root.startBytes}`,
      copy,
      String(root.sizeBytes / 4096),
    ]),
  );
  await assert.rejects(made, {
    code: "corrupt",
    message: /^Cannot accept the disk: the (block size|number of blocks) of the root file system is /,
  });
});

test("refused: an ESP with other clusters", async () => {
  const made = withTool((copy, { esp }) =>
    runTool("mkfs.vfat", [
      "-F",
      "32",
      "-s",
      "2",
      "--offset",
      String(esp.startBytes / 512),
      copy,
      String(esp.sizeBytes / 1024),
    ]),
  );
  await assert.rejects(made, {
    code: "corrupt",
    message: "Cannot accept the disk: the cluster size of the ESP is 1024, planned was 512",
  });
});

test("refused: another partition table, another file in the ESP", async () => {
  const moved = {
    ...plan,
    partitions: plan.partitions.map((part) => ({ ...part, startBytes: part.startBytes + MIB })),
  };
  await assert.rejects(checkDisk(disk, moved, content), {
    code: "corrupt",
    message: "Cannot accept the disk: its partition table is not what was written",
  });
  const other = { ...content, espFiles: [{ path: "loader/loader.conf", bytes: Buffer.from("timeout 6") }] };
  await assert.rejects(checkDisk(disk, plan, other), {
    code: "corrupt",
    message: "Cannot accept the disk: loader/loader.conf in the ESP differs",
  });
});
