/** diffEtc() and mergeEtcTrees() over random trees, beside a model that knows nothing of trees. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { diffEtc } from "../../src/deployment/etc-diff.ts";
import { mergeEtcTrees } from "../../src/deployment/etc-result.ts";
import { cloneTree, type DirectoryNode, firstTreeDifference, type LeafNode, walkTree } from "../../src/tree/index.ts";
import { flat, flatMerge, randomEtcs } from "./etc-trees.ts";

const RUNS = { numRuns: 1000 };

function merge(pristine: DirectoryNode, current: DirectoryNode, next: DirectoryNode, to: "host" | "image" = "host") {
  return mergeEtcTrees(current, next, diffEtc(pristine, current, next), to).root;
}

for (const conflictsTo of ["host", "image"] as const) {
  test(`lists, conflicts and result are those of a flat model, conflicts to the ${conflictsTo}`, () => {
    let conflicts = 0;
    fc.assert(
      fc.property(randomEtcs(), ({ pristine, current, next }) => {
        const diff = diffEtc(pristine, current, next);
        const model = flatMerge(flat(pristine), flat(current), flat(next), conflictsTo);
        const listed = [...diff.added, ...diff.modified];
        assert.equal(new Set(listed).size, listed.length, "each path is on one list, once");
        assert.deepEqual([...listed].sort(), [...model.listed].sort());
        assert.deepEqual(diff.conflicts.map(({ path }) => String(path)).sort(), model.conflicts.sort());
        const result = flat(mergeEtcTrees(current, next, diff, conflictsTo).root);
        assert.deepEqual([...result].sort(), [...model.result].sort());
        conflicts += diff.conflicts.length;
      }),
      RUNS,
    );
    assert.ok(conflicts > RUNS.numRuns / 10, `the trees met in ${conflicts} conflicts only`);
  });
}

test("without changes here the result is the image's, without changes there it is the live tree", () => {
  fc.assert(
    fc.property(randomEtcs(), ({ pristine, current, next }) => {
      assert.equal(firstTreeDifference(merge(pristine, cloneTree(pristine), next), next), undefined);
      assert.equal(firstTreeDifference(merge(pristine, current, pristine), current), undefined);
    }),
    RUNS,
  );
});

test("merging again changes nothing, into the result and from it", () => {
  fc.assert(
    fc.property(randomEtcs(), ({ pristine, current, next }) => {
      const result = merge(pristine, current, next);
      assert.deepEqual(flat(merge(pristine, current, result)), flat(result));
      assert.deepEqual(flat(merge(next, result, next)), flat(result));
    }),
    RUNS,
  );
});

/** The names of each inode that has several. */
function inodesOf(root: DirectoryNode): string[][] {
  const names = new Map<LeafNode, string[]>();
  for (const { node, path } of walkTree(root)) {
    if (node.kind !== "directory") names.set(node, [...(names.get(node) ?? []), path.slice(1)]);
  }
  return [...names.values()].filter((paths) => paths.length > 1);
}

/** Makes names of a tree names of one inode: those that `choice` gives the same number. */
function link(root: DirectoryNode, choice: readonly number[]): DirectoryNode {
  const inodes = new Map<number, LeafNode>();
  let at = 0;
  for (const { node, name, parent } of walkTree(root)) {
    const number = choice[at++ % choice.length] ?? 0;
    if (node.kind === "directory" || number === 0) continue;
    const inode = inodes.get(number) ?? node;
    inodes.set(number, inode);
    parent?.entries.set(name, inode);
  }
  return root;
}

test("hard links made here are there in the result, and none else between changed names", () => {
  const links = fc.array(fc.nat(3), { minLength: 1, maxLength: 7 });
  let linked = 0;
  fc.assert(
    fc.property(randomEtcs(), links, ({ pristine, current: plain, next }, choice) => {
      const current = link(plain, choice);
      assert.equal(firstTreeDifference(merge(pristine, current, pristine), current), undefined);
      const { added, modified } = diffEtc(pristine, current, next);
      const changed = new Set<string>([...added, ...modified]);
      const changedInodes = (root: DirectoryNode) =>
        inodesOf(root)
          .map((paths) => paths.filter((path) => changed.has(path)))
          .filter((paths) => paths.length > 1);
      const result = merge(pristine, current, next);
      assert.deepEqual(changedInodes(result).sort(), changedInodes(current).sort());
      linked += changedInodes(current).length;
    }),
    RUNS,
  );
  assert.ok(linked > RUNS.numRuns / 10, `only ${linked} inodes had several names`);
});
