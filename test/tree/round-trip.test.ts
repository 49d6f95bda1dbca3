import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cloneTree, firstTreeDifference, formatDump, parseDump } from "../../src/tree/index.ts";
import { randomTree } from "./random-tree.ts";

test("parseDump() of formatDump() is the same tree, and formatDump() of that the same text", () => {
  fc.assert(
    fc.property(randomTree, (tree) => {
      const text = formatDump(tree);
      const parsed = parseDump(text);
      assert.equal(firstTreeDifference(tree, parsed), undefined);
      assert.deepEqual(formatDump(parsed), text);
    }),
    { numRuns: 40 },
  );
});

test("cloneTree() is equal and shares no node", () => {
  fc.assert(
    fc.property(randomTree, (tree) => {
      const copy = cloneTree(tree);
      assert.equal(firstTreeDifference(tree, copy), undefined);
      copy.metadata.mode ^= 1;
      assert.equal(firstTreeDifference(tree, copy)?.what, "mode");
    }),
    { numRuns: 20 },
  );
});
