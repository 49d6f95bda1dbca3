/** Places in the menu: every loader shows the order that was asked for, whatever the systems are called. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  compareForGrub,
  compareForSystemdBoot,
  isExhausted,
  type NamedEntry,
  osIdentity,
  parseCountedName,
  parseOsRelease,
  placeEntries,
  ukiEntry,
} from "../../src/bls/index.ts";

const idOf = (number: number) => number.toString(16).padStart(128, "0");

/** As an installation makes it. */
function entryOf(number: number, os = "fedora", version = "43", counter = ""): NamedEntry {
  const identity = osIdentity(parseOsRelease(`ID=${os}\nVERSION_ID=${version}\n`));
  return {
    fileName: `bootc_${os.replaceAll("-", "_")}-${version}-1${counter}.conf`,
    entry: ukiEntry(identity, idOf(number), "primary", "uki"),
  };
}

const placed = (...entries: NamedEntry[]) =>
  placeEntries(entries).map(({ fileName, entry }) => [fileName, entry.sortKey]);

test("placeEntries() gives one and two entries the names that bootc gives them", () => {
  assert.deepEqual(placed(), []);
  assert.deepEqual(placed(entryOf(0)), [["bootc_fedora-43-1.conf", "bootc-fedora-0"]]);
  assert.deepEqual(placed(entryOf(0), entryOf(1)), [
    ["bootc_fedora-43-1.conf", "bootc-fedora-0"],
    ["bootc_fedora-43-0.conf", "bootc-fedora-1"],
  ]);
});

test("placeEntries() changes nothing but names and sort keys", () => {
  const entry = { ...entryOf(1).entry, machineId: "m", otherFields: [["grub_users", "$u"] as const] };
  const [only] = placeEntries([{ fileName: "bootc_fedora-43-0.conf", entry: { ...entry, sortKey: "bootc-fedora-7" } }]);
  assert.deepEqual(only, { fileName: "bootc_fedora-43-1.conf", entry: { ...entry, sortKey: "bootc-fedora-0" } });
});

test("placeEntries() keeps boot counters", () => {
  const counted = placed(entryOf(0, "fedora", "43", "+3"), entryOf(1));
  assert.deepEqual(counted, [
    ["bootc_fedora-43-1+3.conf", "bootc-fedora-0"],
    ["bootc_fedora-43-0.conf", "bootc-fedora-1"],
  ]);
  // GRUB would take the number of failed tries for the release.
  assert.deepEqual(placed(entryOf(0), entryOf(1, "fedora", "43", "+0-3")), [
    ["bootc_1_fedora-43-1.conf", "bootc-fedora-0"],
    ["bootc_0_fedora-43-0+0-3.conf", "bootc-fedora-1"],
  ]);
  assert.equal(isExhausted({ fileName: "bootc_fedora-43-1+0-3.conf" }), true);
  assert.equal(isExhausted({ fileName: "bootc_fedora-43-1+1-2.conf" }), false);
  assert.equal(isExhausted({ fileName: "bootc_fedora-43-1.conf" }), false);
});

test("placeEntries() puts the position in front where names or versions would decide, and takes it away again", () => {
  const [fedora, debian] = [entryOf(0, "fedora", "43"), entryOf(1, "debian-sid", "13")];
  const mixed = placeEntries([fedora, debian]);
  assert.deepEqual(
    mixed.map(({ fileName, entry }) => [fileName, entry.sortKey]),
    [
      ["bootc_fedora-43-1.conf", "bootc-0-fedora-0"],
      ["bootc_debian_sid-13-0.conf", "bootc-1-debian-sid-1"],
    ],
  );
  const back = placeEntries([...mixed].reverse());
  assert.deepEqual(
    back.map(({ fileName, entry }) => [fileName, entry.sortKey]),
    [
      ["bootc_1_debian_sid-13-1.conf", "bootc-debian-sid-0"],
      ["bootc_0_fedora-43-0.conf", "bootc-fedora-1"],
    ],
  );
  assert.deepEqual(placeEntries([...back].reverse()), mixed);
  // GRUB sorts by version before the number at the end.
  assert.deepEqual(placed(entryOf(0, "fedora", "42"), entryOf(1, "fedora", "43")), [
    ["bootc_1_fedora-42-1.conf", "bootc-fedora-0"],
    ["bootc_0_fedora-43-0.conf", "bootc-fedora-1"],
  ]);
});

test("placeEntries() takes the os id from where it is", () => {
  const named = (fileName: string, sortKey: string | undefined) => ({
    fileName,
    entry: { ...entryOf(0).entry, sortKey },
  });
  const keyOf = (fileName: string, sortKey: string | undefined) => placed(named(fileName, sortKey))[0]?.[1];
  assert.equal(keyOf("bootc_my_os-1-0.conf", undefined), "bootc-my_os-0");
  assert.equal(keyOf("bootc_3_my_os-1-0.conf", "other"), "bootc-my_os-0");
  assert.equal(keyOf("x.conf", undefined), "bootc-bootc-0");
  assert.equal(keyOf("x.conf", "bootc-opensuse-15-1"), "bootc-opensuse-15-0");
  assert.equal(keyOf("x.conf", "bootc-1-opensuse-15-1"), "bootc-opensuse-15-0");
  assert.equal(keyOf("x.conf", "bootc-7-zip-1"), "bootc-7-zip-0");
});

test("any order of any number of entries is what each boot loader shows", () => {
  const one = fc.record({
    os: fc.constantFrom("fedora", "debian", "opensuse-leap", "0x", "9-os", "a.b"),
    version: fc.constantFrom("1", "43", "43.20260112.0", "13~rc1", "v2", "15.6-1"),
    counter: fc.constantFrom("", "+3", "+2-1"),
  });
  const entries = fc.array(one, { maxLength: 120 });
  fc.assert(
    fc.property(entries, (systems) => {
      const made = systems.map(({ os, version, counter }, index) => entryOf(index, os, version, counter));
      const first = placeEntries(made);
      const shuffled = [...first].sort((a, b) => (a.fileName < b.fileName ? -1 : 1));
      const second = placeEntries(shuffled);
      for (const placedEntries of [first, second]) {
        const targets = placedEntries.map(({ entry }) => entry.target);
        assert.equal(new Set(placedEntries.map(({ fileName }) => fileName.toLowerCase())).size, systems.length);
        for (const compare of [compareForSystemdBoot, compareForGrub]) {
          assert.deepEqual(
            [...placedEntries]
              .reverse()
              .sort(compare)
              .map(({ entry }) => entry.target),
            targets,
          );
        }
      }
      // Placed twice it is as placed once: nothing of the position is taken for a name.
      assert.deepEqual(placeEntries(first), first);
      const countOf = ({ fileName, entry }: NamedEntry) => [entry.target, parseCountedName(fileName).count];
      assert.deepEqual(first.map(countOf), made.map(countOf));
    }),
    { numRuns: 200 },
  );
});

test("a thousand entries are in order as well", () => {
  const made = Array.from({ length: 1000 }, (_, index) => entryOf(index));
  const all = placeEntries(made);
  assert.equal(all[42]?.entry.sortKey, "bootc-fedora-042");
  for (const compare of [compareForSystemdBoot, compareForGrub])
    assert.deepEqual([...all].reverse().sort(compare), all);
});
