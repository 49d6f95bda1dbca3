import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { compareDpkgVersions, parseDpkgStatus } from "../../src/packages/index.ts";
import { Random } from "../fuzz/random.ts";

const parse = (text: string) => parseDpkgStatus(Buffer.from(text));

test("a status file: installed packages, in its order", () => {
  const text = `Package: base-files
Essential: yes
Status: install ok installed
Priority: required
Architecture: amd64
Version: 12.4+deb12u5
Conffiles:
 /etc/debian_version 0123 obsolete
 Version: not a field
Description: base
 text: with a colon
 .

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1:2.0-3

Package: never
Status: unknown ok not-installed
Architecture: all


Package: broken
Status: install reinstreq half-installed
Version: 0
`;
  assert.deepEqual(parse(text), [
    { name: "base-files", version: "12.4+deb12u5", architecture: "amd64" },
    { name: "broken", version: "0", architecture: undefined },
  ]);
});

test("a file of status.d has no Status field", () => {
  assert.deepEqual(parse("Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all"), [
    { name: "tzdata", version: "2024a-0+deb12u1", architecture: "all" },
  ]);
});

test("nothing in it, no packages", () => {
  for (const text of ["", "\n", "\n\n \n\t\n"]) assert.deepEqual(parse(text), []);
});

test("what is no status file is refused with its line", () => {
  const refused: readonly (readonly [string, string, number])[] = [
    ["Package: a\nno field\n", "a line is neither a field nor the rest of one", 2],
    ["\n\nVersion: 1\n", "a package has no field package", 3],
    ["Package: a\nStatus: install ok installed\n", "a package has no field version", 1],
    ["Package: a\nPackage: b\nVersion: 1\n", "the field package is there twice", 2],
    ["Package: a\x1b[31m\nVersion: 1\n", "the field package of a package has characters that it cannot have", 1],
    ["Package: a\nVersion: 1 2\n", "the field version of a package has characters that it cannot have", 1],
    ["Package: a\nVersion: 1\nStatus: installed\n", "a Status field has not three words", 1],
    ["\0\0\0", "a line is neither a field nor the rest of one", 1],
  ];
  for (const [text, reason, line] of refused) {
    assert.throws(() => parse(text), {
      code: "corrupt",
      message: `Cannot read dpkg's status file: ${reason}`,
      data: { line },
    });
  }
});

test("a hundred thousand packages", () => {
  const text = Array.from({ length: 100_000 }, (_, index) => `Package: p${index}\nVersion: 1.${index}\n`).join("\n");
  const packages = parse(text);
  assert.equal(packages.length, 100_000);
  assert.deepEqual(packages.at(-1), { name: "p99999", version: "1.99999", architecture: undefined });
});

test("versions: the cases of deb-version(7)", () => {
  const ascending = [
    "1.0~~",
    "1.0~~a",
    "1.0~",
    "1.0",
    "1.0-1",
    "1.0a",
    "1.0+b",
    "1.0.1",
    "1.2",
    "1.10",
    "0:2",
    "1:0.1",
  ];
  for (const [index, version] of ascending.entries()) {
    for (const [otherIndex, other] of ascending.entries()) {
      assert.equal(
        Math.sign(compareDpkgVersions(version, other)),
        Math.sign(index - otherIndex),
        `${version} ${other}`,
      );
    }
  }
  for (const [a, b] of [
    ["1.0", "0:1.0"],
    ["1.0", "1.0-0"],
    ["01.00", "1.0"],
  ] as const)
    assert.equal(compareDpkgVersions(a, b), 0, `${a} ${b}`);
});

test("versions: dpkg has the same order", (context) => {
  if (spawnSync("dpkg", ["--version"]).status !== 0) return context.skip("this system has no dpkg");
  const random = new Random("dpkg", 1);
  const part = () =>
    Array.from({ length: 1 + random.below(4) }, () => random.pick(["0", "1", "9", "10", "a", "Z", "~", "+", "."])).join(
      "",
    );
  const version = () => `${random.pick(["", "", "1:"])}1${part()}${random.pick(["", "-", "-"]) && `-${part()}`}`;
  for (let index = 0; index < 150; index++) {
    const [a, b] = [version(), version()];
    const is = (relation: string) => spawnSync("dpkg", ["--compare-versions", a, relation, b]).status === 0;
    const expected = is("lt") ? -1 : is("gt") ? 1 : 0;
    assert.equal(Math.sign(compareDpkgVersions(a, b)), expected, `${a} ${b}`);
  }
});
