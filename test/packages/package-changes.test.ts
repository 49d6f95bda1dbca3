import assert from "node:assert/strict";
import { test } from "node:test";
import { compareDpkgVersions, type InstalledPackage, packageChanges } from "../../src/packages/index.ts";

/** `name version architecture` */
const packages = (...texts: string[]): InstalledPackage[] =>
  texts.map((text) => {
    const [name = "", version = "", architecture] = text.split(" ");
    return { name, version, architecture };
  });

/** The changes as lines. */
function changes(before: readonly InstalledPackage[], after: readonly InstalledPackage[]): string[] {
  const { added, removed, ...pairs } = packageChanges(before, after, compareDpkgVersions);
  const text = ({ name, version, architecture }: InstalledPackage) => `${name} ${version} ${architecture}`;
  return [
    ...added.map((one) => `added ${text(one)}`),
    ...removed.map((one) => `removed ${text(one)}`),
    ...Object.entries(pairs).flatMap(([kind, list]) =>
      list.map(({ from, to }) => `${kind} ${text(from)} -> ${text(to)}`),
    ),
  ];
}

test("added, removed, upgraded, downgraded, for another architecture; by names", () => {
  const before = packages("z 1 all", "same 1 all", "up 1.9 all", "down 2 all", "arch 1 all");
  const after = packages("up 1.10 all", "same 1 all", "arch 1 amd64", "down 2~rc all", "b 1 all", "a 1 all");
  assert.deepEqual(changes(before, after), [
    "added a 1 all",
    "added b 1 all",
    "removed z 1 all",
    "upgraded up 1.9 all -> up 1.10 all",
    "downgraded down 2 all -> down 2~rc all",
    "replaced arch 1 all -> arch 1 amd64",
  ]);
  assert.deepEqual(changes(before, before), []);
  assert.deepEqual(changes([], []), []);
});

test("several of one name: by architecture, and what stays is set aside", () => {
  assert.deepEqual(changes(packages("libc 1 amd64", "libc 1 i386"), packages("libc 2 i386", "libc 2 amd64")), [
    "upgraded libc 1 amd64 -> libc 2 amd64",
    "upgraded libc 1 i386 -> libc 2 i386",
  ]);
  assert.deepEqual(changes(packages("kernel 1 x", "kernel 2 x"), packages("kernel 2 x", "kernel 3 x")), [
    "upgraded kernel 1 x -> kernel 3 x",
  ]);
  assert.deepEqual(changes(packages("kernel 1 x"), packages("kernel 1 x", "kernel 2 x")), ["added kernel 2 x"]);
  assert.deepEqual(changes(packages("kernel 1 x", "kernel 2 x"), packages("kernel 3 x")), [
    "added kernel 3 x",
    "removed kernel 1 x",
    "removed kernel 2 x",
  ]);
});
