/** Readers of the power-cut tests, on their own: no machine is started. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryDirectory } from "../../../src/platform/index.ts";
import { epochsOf, randomNumbers, survivingWrites } from "./cut-points.ts";
import { parseLogEntry, parseLogHeader, WriteLog } from "./write-log.ts";

const VECTOR = join(import.meta.dirname, "../../vectors/write-log/qemu-7.2.writes");

describe("a log of QEMU's blklogwrites", () => {
  test("is read: what was written where, in order, flushes between", () => {
    using log = new WriteLog(VECTOR);
    assert.deepEqual(log.header, { entryCount: 7, sectorBytes: 512 });
    const entries = [...log.entries()];
    assert.deepEqual(
      entries.map(({ kind, offsetBytes, sizeBytes }) => [kind, offsetBytes, sizeBytes]),
      [
        ["write", 4096, 8192],
        ["flush", 0, 0],
        ["write", 512, 512],
        ["write", 65536, 4096],
        ["flush", 0, 0],
        ["write", 0, 1024],
        ["flush", 0, 0],
      ],
    );
    const [first, , second, zeros] = entries;
    assert.ok(first !== undefined && second !== undefined && zeros !== undefined);
    assert.deepEqual(log.dataOf(first), Buffer.alloc(8192, 65));
    assert.deepEqual(log.dataOf(second), Buffer.alloc(512, 66));
    assert.deepEqual(log.dataOf(zeros), Buffer.alloc(4096));
  });

  test("is cut at its flushes, and what was written after the last one is not counted", () => {
    using log = new WriteLog(VECTOR);
    const epochs = [...epochsOf([...log.entries()].slice(0, -1))];
    assert.deepEqual(
      epochs.map(({ flush, writes }) => [flush, writes.map(({ index }) => index)]),
      [
        [1, [0]],
        [2, [2, 3]],
      ],
    );
  });

  test("cut off, or something else, is refused", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "log");
    const bytes = readFileSync(VECTOR);
    writeFileSync(path, bytes.subarray(0, 0x2a00));
    using log = new WriteLog(path);
    assert.throws(() => [...log.entries()], { code: "corrupt", message: /entry 2 is cut off|it ends at/ });
    assert.throws(() => parseLogHeader(new Uint8Array(512)), { code: "corrupt", message: /wrong magic number/ });
    assert.throws(() => parseLogHeader(bytes.subarray(0, 20)), { code: "corrupt", message: /it ends at 20/ });
    const entry = Buffer.from(bytes.subarray(512, 1024));
    entry[16] = 0x10;
    assert.throws(() => parseLogEntry(entry, log.header, { index: 0, offset: 512 }), {
      code: "corrupt",
      message: "Cannot read the write log: entry 0 has flags 0x10",
    });
  });
});

test("what survives a cut is some of what had begun, in its order, and the same for the same seed", () => {
  const writes = Array.from({ length: 20 }, (_, index) => ({
    offsetBytes: index * 4096,
    bytes: Buffer.alloc(1024, index),
  }));
  const counts = new Set<number>();
  for (let seed = 1; seed <= 200; seed++) {
    const survivors = survivingWrites(writes, randomNumbers(seed));
    assert.deepEqual(survivors, survivingWrites(writes, randomNumbers(seed)));
    const offsets = survivors.map(({ offsetBytes }) => offsetBytes);
    assert.deepEqual(
      offsets,
      [...offsets].sort((a, b) => a - b),
    );
    for (const { offsetBytes, bytes } of survivors) {
      assert.ok(bytes.every((byte) => byte === Math.floor(offsetBytes / 4096)));
      assert.equal(bytes.length % 512, 0);
    }
    counts.add(survivors.length);
  }
  assert.ok(counts.size > 10, `${counts.size} different numbers of writes survive`);
});
