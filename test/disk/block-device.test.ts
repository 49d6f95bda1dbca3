import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { describeBlockDevice, inspectBlockDevice } from "../../src/disk/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sealroot-device-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A disk sda with one partition, as sysfs and procfs show it. */
function writeViews(changes: Readonly<Record<string, string>> = {}) {
  const files: Record<string, string> = {
    "sys/dev/block/8:0/size": "2048\n",
    "sys/dev/block/8:0/dev": "8:0\n",
    "sys/dev/block/8:0/ro": "0\n",
    "sys/dev/block/8:0/queue/logical_block_size": "512\n",
    "sys/dev/block/8:0/sda1/partition": "1\n",
    "sys/dev/block/8:0/sda1/dev": "8:1\n",
    "proc/self/mountinfo": "22 1 253:0 / / rw - ext4 /dev/vda rw\n",
    "proc/swaps": "Filename\tType\n",
    ...changes,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { sys: join(root, "sys"), proc: join(root, "proc") };
}

test("a free disk is described by size and partitions", () => {
  assert.deepEqual(describeBlockDevice("/dev/sda", "8:0", writeViews()), {
    path: "/dev/sda",
    sizeBytes: 1024 * 1024,
    logicalBlockBytes: 512,
    isReadOnly: false,
    isPartition: false,
    partitionNames: ["sda1"],
    uses: [],
  });
});

test("mounts, holders and swap on the disk or a partition of it are uses", () => {
  const views = writeViews({
    "proc/self/mountinfo": "22 1 253:0 / / rw - ext4 /dev/vda rw\n23 22 8:1 / /boot rw - vfat /dev/sda1 rw\n",
    "proc/swaps": "Filename\tType\n/dev/sda1 partition 1 0 -2\n",
    "sys/dev/block/8:0/holders/dm-0": "",
  });
  assert.deepEqual(describeBlockDevice("/dev/sda", "8:0", views).uses, [
    "sda is used by dm-0",
    "sda1 is mounted on /boot",
    "sda1 is swap space",
  ]);
});

test("a partition and a read-only device say so", () => {
  const views = writeViews({ "sys/dev/block/8:0/partition": "1\n", "sys/dev/block/8:0/ro": "1\n" });
  const { isPartition, isReadOnly } = describeBlockDevice("/dev/sda", "8:0", views);
  assert.deepEqual({ isPartition, isReadOnly }, { isPartition: true, isReadOnly: true });
});

test("what is not a block device is refused", () => {
  const file = join(root, "file");
  writeFileSync(file, "");
  assert.throws(() => inspectBlockDevice(file), {
    code: "unsupported",
    message: `Cannot use ${file} as a disk: it is not a block device`,
  });
  assert.throws(() => inspectBlockDevice(join(root, "none")), { code: "not-found" });
});
