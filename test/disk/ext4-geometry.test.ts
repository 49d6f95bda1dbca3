import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { rootBytesNeeded, rootHolds } from "../../src/disk/ext4/space.ts";
import type { RootContent } from "../../src/disk/index.ts";
import { rootGeometry } from "../../src/ext4/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { planOf } from "./small-disk.ts";

const MIB = 1024 * 1024;
const GIB_IN_MIB = 1024;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-geometry-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Around every border of the rules: one group and two, last groups too small to be one, copies, journal, orphan file. */
const SIZES_MIB = [
  ...[
    64, 65, 100, 127, 128, 129, 130, 131, 132, 200, 256, 259, 260, 384, 387, 511, 512, 640, 643, 898, 899, 1023, 1024,
  ],
  ...[2045, 2048, 3 * GIB_IN_MIB, 8191, 8192, 8193, 16 * GIB_IN_MIB - 1, 17_001, 64 * GIB_IN_MIB + 7, 130_000],
];

test("mke2fs makes the file system that was planned, on disks of every size", async () => {
  const made: string[] = [];
  for (const sizeMib of SIZES_MIB) {
    const planned = rootGeometry(sizeMib * MIB);
    writeFileSync(join(scratch, "disk"), "");
    truncateSync(join(scratch, "disk"), sizeMib * MIB);
    await planOf([]).make(
      { directory: scratch, path: "disk" },
      {
        startBytes: 0,
        sizeBytes: sizeMib * MIB,
        diskIsZeroed: true,
        uuid: "11111111-2222-4333-8444-555555555555",
        label: "root",
        epochSeconds: 1_700_000_000,
      },
    );
    const header = (await runTool("dumpe2fs", ["-h", "disk"], { directory: scratch })).stdout.toString();
    const field = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(header)?.[1]);
    assert.equal(field("Block size"), 4096, `${sizeMib} MiB`);
    assert.equal(field("Block count"), planned.blockCount, `${sizeMib} MiB`);
    assert.equal(field("Inode count"), planned.inodeCount, `${sizeMib} MiB`);
    assert.equal(field("Reserved block count"), planned.reservedBlocks, `${sizeMib} MiB`);
    // The block of a journal's extents, when they fit into its inode.
    const spareBlocks = field("Free blocks") - planned.freeBlocks;
    assert.ok(spareBlocks === 0 || spareBlocks === 1, `${sizeMib} MiB: ${spareBlocks} blocks more than planned`);
    made.push(header);
  }
  assert.equal(made.length, SIZES_MIB.length);
});

test("the file system leaves out less than a group's tables of its partition", () => {
  for (let sizeMib = 64; sizeMib < 20_000; sizeMib++) {
    const missingBytes = sizeMib * MIB - rootGeometry(sizeMib * MIB).blockCount * 4096;
    assert.ok(missingBytes < 10 * MIB, `${sizeMib} MiB: ${missingBytes}`);
  }
});

/** A generator of numbers that are the same in every run (Numerical Recipes' constants). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("the size said to be needed is the least that does, and so does every larger one", () => {
  const random = randomNumbers(9);
  for (let round = 0; round < 300; round++) {
    const blocks = Math.floor(random() ** 4 * 8_000_000);
    const content: RootContent = { blocks, inodes: Math.floor(random() ** 4 * 2_000_000) };
    const neededBytes = rootBytesNeeded(content);
    assert.equal(neededBytes % MIB, 0);
    for (let mib = 0; mib < 400; mib++) assert.ok(rootHolds(neededBytes + mib * MIB, content), JSON.stringify(content));
    assert.ok(neededBytes === 64 * MIB || !rootHolds(neededBytes - 2 * MIB, content), JSON.stringify(content));
  }
});
