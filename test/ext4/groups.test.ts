import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCK_BYTES, type BlockRun, Groups, type Superblock } from "../../src/ext4/index.ts";

const GROUP_BLOCKS = BLOCK_BYTES * 8;
const GROUPS = 3;
const DESCRIPTOR_BYTES = 64;

test("takeBlocks() takes the free blocks in order, in the longest runs, up to the last one of a crowded disk", () => {
  let state = 0x2545f491;
  const below = (limit: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
  const bitmaps = Array.from({ length: GROUPS }, () => new Uint8Array(BLOCK_BYTES));
  // The last group is short, and what lies beyond the disk's end counts as taken.
  const blockCount = GROUP_BLOCKS * GROUPS - 1000;
  const free: number[] = [];
  let block = 0;
  while (block < GROUP_BLOCKS * GROUPS) {
    const isFree = below(3) > 0;
    // Single blocks, a few, whole bytes, and stretches over the edge of a group.
    const end = Math.min(block + 1 + below([1, 7, 64, 9000][below(4)] ?? 1), GROUP_BLOCKS * GROUPS);
    for (; block < end; block++) {
      if (isFree && block < blockCount) free.push(block);
      else setBit(bitmaps[Math.floor(block / GROUP_BLOCKS)], block % GROUP_BLOCKS);
    }
  }
  const groups = new Groups(superblock(blockCount, free.length), table(free), (block) =>
    Uint8Array.from(bitmaps[block - 1] ?? []),
  );

  let taken = 0;
  while (taken < free.length) {
    const count = Math.min(1 + below([1, 3, 40, 70_000][below(4)] ?? 1), free.length - taken);
    const expected = free.slice(taken, taken + count);
    const runs = groups.takeBlocks(count);
    assert.deepEqual(runs.flatMap(blocksOf), expected);
    assert.deepEqual(runs, runsOf(expected));
    taken += count;
    assert.equal(groups.freeBlocks, free.length - taken);
  }
  assert.throws(() => groups.takeBlocks(1), { code: "no-space" });
  // Every bitmap is full now, and is written with the rest.
  const written = groups.finish().filter(({ block }) => block >= 1 && block <= GROUPS);
  assert.ok(written.every(({ bytes }) => bytes.every((byte) => byte === 0xff)));
});

function superblock(blockCount: number, freeBlocks: number): Superblock {
  return {
    blockBytes: BLOCK_BYTES,
    blockCount,
    reservedBlocks: 0,
    freeBlocks,
    blocksPerGroup: GROUP_BLOCKS,
    groupCount: GROUPS,
    inodeCount: 0,
    freeInodes: 0,
    inodesPerGroup: 8,
    inodeBytes: 256,
    descriptorBytes: DESCRIPTOR_BYTES,
    reservedDescriptorBlocks: 0,
    groupsPerFlexGroup: 16,
    features: { compatible: 0, incompatible: 0, readOnlyCompatible: 0 },
    unclean: undefined,
    hashSeed: [0, 0, 0, 0],
    checksumSeed: 1,
  };
}

/** Descriptors whose block bitmaps are blocks 1, 2, 3 (struct ext4_group_desc: bitmap at 0x0, free blocks at 0xc and 0x2c). */
function table(free: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(GROUPS * DESCRIPTOR_BYTES));
  for (let group = 0; group < GROUPS; group++) {
    const count = free.filter((block) => Math.floor(block / GROUP_BLOCKS) === group).length;
    view.setUint32(group * DESCRIPTOR_BYTES, group + 1, true);
    view.setUint16(group * DESCRIPTOR_BYTES + 0xc, count & 0xffff, true);
    view.setUint16(group * DESCRIPTOR_BYTES + 0x2c, count >>> 16, true);
  }
  return new Uint8Array(view.buffer);
}

function setBit(bytes: Uint8Array | undefined, bit: number): void {
  if (bytes === undefined) throw new Error("unreachable: no such group");
  bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) | (1 << (bit % 8));
}

function blocksOf({ start, count }: BlockRun): number[] {
  return Array.from({ length: count }, (_, index) => start + index);
}

/** As long as they can be: an extent has at most 32768 blocks. */
function runsOf(blocks: readonly number[]): BlockRun[] {
  const runs: BlockRun[] = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last !== undefined && last.start + last.count === block && last.count < 32768) {
      runs[runs.length - 1] = { start: last.start, count: last.count + 1 };
    } else runs.push({ start: block, count: 1 });
  }
  return runs;
}
