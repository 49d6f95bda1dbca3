import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { batchesOf, UnderWay } from "../../src/objects/under-way.ts";

test("where nothing is under way nobody waits", async () => {
  assert.deepEqual([...batchesOf([], { items: 3 })], []);
  const none = new UnderWay(1);
  assert.equal(none.room(), undefined);
  await Promise.all([none.next(), none.settled(), none.finish()]);
});

test("UnderWay measures what is under way, and a failure makes room and is reported once everything has ended", async () => {
  const [large, small] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const underWay = new UnderWay(10);
  underWay.add(large.promise, 9);
  assert.equal(underWay.room(), undefined);
  underWay.add(small.promise, 1);
  let hasRoom = false;
  const room = underWay.room()?.then(() => {
    hasRoom = true;
  });
  await turn();
  assert.deepEqual([hasRoom, underWay.count], [false, 2]);
  underWay.check();
  large.reject(new Error("spoiled"));
  await room;
  assert.deepEqual([hasRoom, underWay.count], [true, 1]);
  assert.throws(() => underWay.check(), { message: "spoiled" });
  const finished = assert.rejects(underWay.finish(), { message: "spoiled" });
  small.resolve();
  await finished;
  assert.equal(underWay.count, 0);
  await underWay.settled();
});

test("batchesOf() cuts at so many items, or at so much of them", () => {
  assert.deepEqual([...batchesOf([1, 2, 3, 4, 5], { items: 2 })], [[1, 2], [3, 4], [5]]);
  assert.deepEqual(
    [...batchesOf([1, 2, 3, 4], { items: 2 })],
    [
      [1, 2],
      [3, 4],
    ],
  );
  const size = { max: 10, of: (item: number) => item };
  assert.deepEqual(
    [...batchesOf([4, 6, 1, 30, 1, 1, 1], { items: 3, size })],
    [
      [4, 6],
      [1, 30],
      [1, 1, 1],
    ],
  );
});
