import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { batchesOf, mapUnderWay, UnderWay } from "../../src/repository/under-way.ts";

/** Work that is ended by hand. */
interface Piece {
  readonly item: number;
  end(): void;
  fail(message: string): void;
}

/** The pieces that were begun, in order, and the work that begins them and gives ten times the item. */
function byHand(): { readonly begun: Piece[]; readonly work: (item: number) => Promise<number> } {
  const begun: Piece[] = [];
  const work = (item: number) =>
    new Promise<number>((resolve, reject) => {
      begun.push({ item, end: () => resolve(10 * item), fail: (message) => reject(new Error(message)) });
    });
  return { begun, work };
}

test("mapUnderWay() gives the outputs in the order of the items, in whatever order they end", async () => {
  const { begun, work } = byHand();
  const outputs = mapUnderWay([1, 2, 3, 4], 4, work);
  await turn();
  assert.equal(begun.length, 4);
  for (const piece of begun.toReversed()) {
    piece.end();
    await turn();
  }
  assert.deepEqual(await outputs, [10, 20, 30, 40]);
});

test("mapUnderWay() begins as many as there may be, and never has more under way", async () => {
  let running = 0;
  const seen: number[] = [];
  const work = async (item: number) => {
    seen.push(++running);
    for (let at = 0; at <= item % 3; at++) await turn();
    running--;
  };
  await mapUnderWay(Array(20).keys(), 3, work);
  assert.deepEqual(seen.slice(0, 3), [1, 2, 3]);
  assert.equal(Math.max(...seen), 3);
  assert.equal(seen.length, 20);
});

test("mapUnderWay() of one at a time begins each when the one before has ended", async () => {
  const { begun, work } = byHand();
  const outputs = mapUnderWay([1, 2, 3], 1, work);
  for (const item of [1, 2, 3]) {
    await turn();
    assert.deepEqual(
      begun.map((piece) => piece.item),
      [1, 2, 3].slice(0, item),
    );
    begun[item - 1]?.end();
  }
  assert.deepEqual(await outputs, [10, 20, 30]);
});

test("after an error in the middle nothing more begins, and it is thrown when nothing goes on any more", async () => {
  const { begun, work } = byHand();
  let isOver = false;
  const outputs = mapUnderWay([1, 2, 3, 4, 5], 3, work).finally(() => {
    isOver = true;
  });
  const failed = assert.rejects(outputs, { message: "two" });
  await turn();
  begun[1]?.fail("two");
  await turn();
  begun[0]?.fail("one, later");
  await turn();
  assert.equal(isOver, false);
  begun[2]?.end();
  await failed;
  assert.equal(begun.length, 3);
});

test("an error of the items, or of the last work, is thrown when nothing goes on any more", async () => {
  const { begun, work } = byHand();
  const items = function* () {
    yield 1;
    throw new Error("no more items");
  };
  let isOver = false;
  const outputs = mapUnderWay(items(), 2, work).finally(() => {
    isOver = true;
  });
  const failed = assert.rejects(outputs, { message: "no more items" });
  await turn();
  assert.equal(isOver, false);
  begun[0]?.end();
  await failed;
  const last = mapUnderWay([1, 2], 2, async (item) => {
    await turn();
    if (item === 2) throw new Error("the last");
  });
  await assert.rejects(last, { message: "the last" });
});

test("nothing to do is done", async () => {
  assert.deepEqual(await mapUnderWay([], 2, async () => assert.fail("nothing is begun")), []);
  assert.deepEqual([...batchesOf([], { items: 3 })], []);
  const none = new UnderWay(1);
  assert.equal(none.room(), undefined);
  await Promise.all([none.next(), none.settled(), none.finish()]);
});

test("UnderWay measures what is under way, and a failure makes room and is reported once everything has ended", async () => {
  const { begun, work } = byHand();
  const underWay = new UnderWay(10);
  underWay.add(work(1), 9);
  assert.equal(underWay.room(), undefined);
  underWay.add(work(2), 1);
  let hasRoom = false;
  const room = underWay.room()?.then(() => {
    hasRoom = true;
  });
  await turn();
  assert.deepEqual([hasRoom, underWay.count], [false, 2]);
  underWay.check();
  begun[0]?.fail("spoiled");
  await room;
  assert.deepEqual([hasRoom, underWay.count], [true, 1]);
  assert.throws(() => underWay.check(), { message: "spoiled" });
  const finished = assert.rejects(underWay.finish(), { message: "spoiled" });
  begun[1]?.end();
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
