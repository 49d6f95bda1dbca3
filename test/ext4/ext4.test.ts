import assert from "node:assert/strict";
import { test } from "node:test";
import { byteString, byteStringOfText } from "../../src/bytes/index.ts";
import { crc32c } from "../../src/ext4/crc32c.ts";
import {
  deviceMap,
  directoryHash,
  type Extent,
  encodeExtents,
  ext4Time,
  extentTreeBlocks,
  layOutDirectory,
  placeXattrs,
  readHashSeed,
} from "../../src/ext4/index.ts";

const SEED = readHashSeed("11111111-2222-4333-8444-666666666666");

test("the checksum of the check string is the published one, but for the inversion that ext4 leaves out", () => {
  assert.equal((crc32c(0xffffffff, Buffer.from("123456789")) ^ 0xffffffff) >>> 0, 0xe3069283);
});

test("names hash as in e2fsprogs: bytes above 127, and lengths around a round of 32", () => {
  // debugfs 1.47.0: dx_hash -h half_md4 -s 11111111-2222-4333-8444-666666666666 NAME
  const hashes: readonly (readonly [name: Uint8Array, major: number, minor: number])[] = [
    [Buffer.from("a"), 0x49e8ad3c, 0x9c4bbf2f],
    [Buffer.from("abc"), 0x90f70808, 0xcc07f047],
    [Buffer.from("passwd"), 0x6b1578b2, 0xf84dea5a],
    [Buffer.from("x".repeat(31)), 0x7cd04bb6, 0x0e7644cd],
    [Buffer.from("x".repeat(32)), 0xc9d10856, 0xb6bfea44],
    [Buffer.from("x".repeat(33)), 0x8be30bc0, 0x56706bfb],
    [Buffer.from("y".repeat(64)), 0xa4919334, 0xed075272],
    [Buffer.from("z".repeat(255)), 0xddaa1344, 0xcec1a85b],
    [Uint8Array.of(0xc3, 0xbc, 0xff, 0x80, 0x7f), 0x98bb97e2, 0xaf0b76b3],
  ];
  for (const [name, major, minor] of hashes) {
    assert.deepEqual(directoryHash(byteString(name), SEED), { major, minor }, Buffer.from(name).toString("hex"));
  }
});

test("device numbers take the old form where it holds them, else the new one", () => {
  assert.deepEqual(deviceMap(1, 3).subarray(0, 8), Uint8Array.of(3, 1, 0, 0, 0, 0, 0, 0));
  assert.deepEqual(deviceMap(255, 255).subarray(0, 8), Uint8Array.of(255, 255, 0, 0, 0, 0, 0, 0));
  assert.deepEqual(deviceMap(259, 3).subarray(0, 8), Uint8Array.of(0, 0, 0, 0, 3, 3, 1, 0));
  assert.deepEqual(deviceMap(4095, 0xfffff).subarray(0, 8), Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255));
});

test("times have 34 bits of seconds from 1901 on and are clamped beyond", () => {
  assert.deepEqual(ext4Time(0n, 0), { seconds: 0, extra: 0 });
  assert.deepEqual(ext4Time(-5n, 123_456_789), { seconds: -5, extra: 123_456_789 * 4 });
  assert.deepEqual(ext4Time(2n ** 32n + 4n, 7), { seconds: 4, extra: 7 * 4 + 1 });
  assert.deepEqual(ext4Time(2n ** 40n, 0), { seconds: 0x7fffffff, extra: 3 });
  assert.deepEqual(ext4Time(-(2n ** 40n), 0), { seconds: -(2 ** 31), extra: 0 });
});

/** Reads a tree back by the layout of Documentation/filesystems/ext4/ifork.rst. */
function readTree(node: Uint8Array, blocks: ReadonlyMap<number, Uint8Array>): Extent[] {
  const view = new DataView(node.buffer, node.byteOffset);
  assert.equal(view.getUint16(0, true), 0xf30a);
  const extents: Extent[] = [];
  for (let index = 0; index < view.getUint16(2, true); index++) {
    const at = 12 + index * 12;
    const fileBlock = view.getUint32(at, true);
    if (view.getUint16(6, true) === 0) {
      const start = view.getUint16(at + 6, true) * 2 ** 32 + view.getUint32(at + 8, true);
      extents.push({ fileBlock, start, count: view.getUint16(at + 4, true) });
      continue;
    }
    const below = blocks.get(view.getUint16(at + 8, true) * 2 ** 32 + view.getUint32(at + 4, true));
    assert.ok(below !== undefined);
    const found = readTree(below, blocks);
    assert.equal(found[0]?.fileBlock, fileBlock);
    extents.push(...found);
  }
  return extents;
}

test("extents are found again through trees of every depth, beyond 2^32 blocks too", () => {
  for (const count of [0, 1, 4, 5, 340, 341, 1360, 1361, 130_000]) {
    const extents = Array.from({ length: count }, (_, index) => {
      return { fileBlock: index * 10, start: 2 ** 32 - 50 + index * 100, count: 1 + (index % 9) };
    });
    const treeBlocks = Array.from({ length: extentTreeBlocks(count) }, (_, index) => 2 ** 33 + index);
    const { inodeMap, blocks } = encodeExtents(extents, treeBlocks, 1);
    assert.equal(inodeMap.length, 60);
    const numbers = blocks.map(({ block }) => block);
    assert.deepEqual(numbers, treeBlocks, `${count}`);
    const byNumber = new Map(blocks.map(({ block, bytes }) => [block, bytes]));
    assert.deepEqual(readTree(inodeMap, byNumber), extents);
  }
  assert.deepEqual([4, 5, 340, 341, 1361].map(extentTreeBlocks), [0, 1, 1, 2, 6]);
});

test("a directory is a list in one block, an index over full leaves above", () => {
  const children = (count: number, bytes: number) =>
    Array.from({ length: count }, (_, index) => ({ name: byteStringOfText(String(index).padEnd(bytes, "n")) }));
  // 24 bytes for `.` and `..`, 12 for the checksum; an entry of 8 bytes and a name of 12 takes 20.
  assert.equal(layOutDirectory(children(203, 12), SEED)?.blockCount, 1);
  assert.equal(layOutDirectory(children(204, 12), SEED)?.blockCount, 2);
  const indexed = layOutDirectory(children(205, 12), SEED);
  assert.equal(indexed?.blockCount, 3);
  assert.deepEqual(
    indexed?.leaves.map((leaf) => leaf.children.length),
    [204, 1],
  );
  // 507 leaves need no level between, 508 do.
  assert.equal(layOutDirectory(children(507 * 204, 12), SEED)?.blockCount, 1 + 507);
  assert.equal(layOutDirectory(children(507 * 204 + 1, 12), SEED)?.blockCount, 1 + 1 + 508);
});

test("attributes go into the inode while there is room, labels first, and no further than one block", () => {
  const xattrs = (entries: readonly (readonly [string, number])[]) =>
    new Map(entries.map(([name, bytes]) => [byteStringOfText(name), new Uint8Array(bytes)]));
  const place = (entries: readonly (readonly [string, number])[]) => {
    const placed = placeXattrs(xattrs(entries));
    if (typeof placed === "string") return placed;
    return [placed.inInode, placed.inBlock].map((list) => list.map(({ index, name }) => `${index} ${name}`));
  };
  assert.deepEqual(place([]), [[], []]);
  assert.deepEqual(
    place([
      ["user.a", 60],
      ["security.selinux", 40],
    ]),
    [["6 selinux"], ["1 a"]],
  );
  assert.deepEqual(
    place([
      ["security.capability", 20],
      ["user.b", 8],
    ]),
    [["1 b", "6 capability"], []],
  );
  assert.deepEqual(place([["user.big", 4040]]), [[], ["1 big"]]);
  assert.equal(place([["user.big", 4044]]), "its extended attributes have more than 4 KiB");
  assert.equal(place([["system.data", 4]]), "its extended attribute system.data is of no kind that Linux has");
  assert.equal(place([["user.", 4]]), "the name of its extended attribute user. has 0 bytes");
  assert.equal(
    place([["system.posix_acl_access", 7]]),
    "its access control list (system.posix_acl_access) is malformed",
  );
});
