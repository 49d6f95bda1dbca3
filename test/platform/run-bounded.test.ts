import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { runBounded } from "../../src/platform/index.ts";

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

test("runBounded() gives the outputs in the order of the items, in whatever order they end", async () => {
  const { begun, work } = byHand();
  const outputs = runBounded([1, 2, 3, 4], 4, work);
  await turn();
  assert.equal(begun.length, 4);
  for (const piece of begun.toReversed()) {
    piece.end();
    await turn();
  }
  assert.deepEqual(await outputs, [10, 20, 30, 40]);
});

test("runBounded() begins as many as there may be, and never has more under way", async () => {
  let running = 0;
  const seen: number[] = [];
  const work = async (item: number) => {
    seen.push(++running);
    for (let at = 0; at <= item % 3; at++) await turn();
    running--;
  };
  await runBounded(Array(20).keys(), 3, work);
  assert.deepEqual(seen.slice(0, 3), [1, 2, 3]);
  assert.equal(Math.max(...seen), 3);
  assert.equal(seen.length, 20);
});

test("runBounded() of one at a time begins each when the one before has ended", async () => {
  const { begun, work } = byHand();
  const outputs = runBounded([1, 2, 3], 1, work);
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

test("after an error in the middle nothing more begins, and it is thrown once nothing is running", async () => {
  const { begun, work } = byHand();
  let isOver = false;
  const outputs = runBounded([1, 2, 3, 4, 5], 3, work).finally(() => {
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

test("an error of the items, or of the last work, is thrown once nothing is running", async () => {
  const { begun, work } = byHand();
  const items = function* () {
    yield 1;
    throw new Error("no more items");
  };
  let isOver = false;
  const outputs = runBounded(items(), 2, work).finally(() => {
    isOver = true;
  });
  const failed = assert.rejects(outputs, { message: "no more items" });
  await turn();
  assert.equal(isOver, false);
  begun[0]?.end();
  await failed;
  const last = runBounded([1, 2], 2, async (item) => {
    await turn();
    if (item === 2) throw new Error("the last");
  });
  await assert.rejects(last, { message: "the last" });
});

test("runBounded() of nothing begins nothing", async () => {
  assert.deepEqual(await runBounded([], 2, async () => assert.fail("nothing is begun")), []);
});
