/** Which entries of a menu are lost, by the names and sort keys of those that are left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { entryFileName, type NamedEntry, type OsIdentity, placeEntries, ukiEntry } from "../../src/bls/index.ts";
import { lostDeployments, lostEntry } from "../../src/repair/lost-entries.ts";

const OS: OsIdentity = { id: "fedora", name: "Fedora", version: "43" };
const idOf = (index: number) => `${index}`.repeat(128);

function alone(index: number, os = OS): NamedEntry {
  return { fileName: entryFileName(os, idOf(index), "primary"), entry: ukiEntry(os, idOf(index), "primary", "efi") };
}

const menuOf = (count: number, os = OS) => placeEntries(Array.from({ length: count }, (_, index) => alone(index, os)));

/** Takes entries out of a menu of `count` and asks for them again; the deployments are told in the order of the menu. */
function lose(count: number, indexes: readonly number[], options: { unreadable?: boolean; booted?: number } = {}) {
  const menu = menuOf(count);
  const left = menu.filter((_, index) => !indexes.includes(index));
  const gone = menu.filter((_, index) => indexes.includes(index));
  const unusable = options.unreadable === true ? gone.map(({ fileName }) => fileName) : [];
  const candidates = indexes.map((index) => ({ deploymentId: idOf(index), isCertain: index === options.booted }));
  const lost = lostDeployments(left, unusable, candidates);
  const found = indexes.map((index) => {
    const place = lost.get(idOf(index));
    return place === undefined ? undefined : lostEntry(left, alone(index), place);
  });
  return { found, gone };
}

test("every one and every two of up to twelve entries are found again in their places", () => {
  for (let count = 3; count <= 12; count++) {
    for (let first = 0; first < count; first++) {
      for (let second = first; second < count; second++) {
        const { found, gone } = lose(count, first === second ? [first] : [first, second]);
        assert.deepEqual(found, gone, `${first} and ${second} of ${count}`);
      }
    }
  }
});

test("of a menu of two, the first is missed; the second only when it is certain or its file is there", () => {
  assert.deepEqual(lose(2, [0]).found, lose(2, [0]).gone);
  assert.deepEqual(lose(2, [1]).found, [undefined]);
  assert.deepEqual(lose(2, [1], { booted: 1 }).found, lose(2, [1]).gone);
  assert.deepEqual(lose(2, [1], { unreadable: true }).found, lose(2, [1]).gone);
});

test("all entries lost: the menu is that of all deployments", () => {
  for (let count = 1; count <= 5; count++) {
    const all = Array.from({ length: count }, (_, index) => index);
    assert.deepEqual(lose(count, all).found, lose(count, all).gone);
    assert.deepEqual(lose(count, all, { unreadable: true }).found, lose(count, all).gone);
  }
});

test("a whole menu has lost nothing, whatever lies about", () => {
  for (let count = 1; count <= 5; count++) {
    const garbage = [{ deploymentId: idOf(9), isCertain: false }];
    assert.deepEqual([...lostDeployments(menuOf(count), [], garbage)], []);
    assert.deepEqual([...lostDeployments(menuOf(count), ["windows.conf", "broken.conf"], garbage)], []);
  }
});

test("an entry that is certain and finds no place is told without one", () => {
  const booted = { deploymentId: idOf(9), isCertain: true };
  const lost = lostDeployments(menuOf(3), [], [booted]);
  assert.deepEqual([...lost], [[idOf(9), { size: 3, index: undefined }]]);
  assert.equal(lostEntry(menuOf(3), alone(9), { size: 3, index: undefined }), undefined);
});

test("boot counters of the others do not matter, and stay", () => {
  const menu = placeEntries(
    [0, 1, 2].map((index) => {
      const { fileName, entry } = alone(index);
      return { fileName: index === 0 ? fileName.replace(".conf", "+3.conf") : fileName, entry };
    }),
  );
  const left = [menu[0], menu[2]].flatMap((entry) => entry ?? []);
  const place = lostDeployments(left, [], [{ deploymentId: idOf(1), isCertain: false }]).get(idOf(1));
  assert.deepEqual(place && lostEntry(left, alone(1), place), menu[1]);
});
