import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IdIndex } from "../../src/bytes/index.ts";

/** An index whose keeper is an array. */
function newIndex(): { add: (id: string) => number; find: (id: string) => number | undefined; ids: string[] } {
  const ids: string[] = [];
  const index = new IdIndex((number) => ids[number] as string);
  const add = (id: string) => {
    const number = index.add(id);
    if (number === ids.length) ids.push(id);
    assert.equal(index.size, ids.length);
    return number;
  };
  return { add, find: (id) => index.find(id), ids };
}

test("property: IdIndex numbers ids in the order of their first mention, however many begin alike", () => {
  const id = fc.tuple(fc.constantFrom("00000000", "ffffffff", "80000000", "0123abcd"), fc.nat(400));
  fc.assert(
    fc.property(fc.array(id, { maxLength: 3000, size: "max" }), (mentions) => {
      const { add, find } = newIndex();
      const model = new Map<string, number>();
      for (const [beginning, number] of mentions) {
        const text = `${beginning}${number.toString(16).padStart(8, "0")}`;
        assert.equal(find(text), model.get(text));
        if (!model.has(text)) model.set(text, model.size);
        assert.equal(add(text), model.get(text));
      }
    }),
    { numRuns: 50 },
  );
});

test("IdIndex finds every id again when it has grown", () => {
  const { add, find, ids } = newIndex();
  const idOf = (number: number) => Math.imul(number, 0x9e3779b1).toString(16).replace("-", "f").padEnd(128, "0");
  for (let number = 0; number < 20_000; number++) add(idOf(number));
  assert.deepEqual([...new Set(ids)], ids);
  for (const [number, id] of ids.entries()) assert.equal(find(id), number);
  assert.equal(find("e".repeat(128)), undefined);
});
