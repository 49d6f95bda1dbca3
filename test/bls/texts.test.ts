import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compareRpmVersions,
  compareVersions,
  formatIni,
  osIdentity,
  parseIni,
  parseOsRelease,
  withIniKey,
} from "../../src/bls/index.ts";

test("parseOsRelease() undoes quotes and escapes and skips what is not an assignment", () => {
  const text =
    '# c\nID=debian\nNAME=\'De $b\'\nPRETTY_NAME="a \\"b\\" \\$c \\x"\n  VERSION_ID=13 \nrubbish\n1A=2\nID=last\nE=\n';
  assert.deepEqual(Object.fromEntries(parseOsRelease(text)), {
    ID: "last",
    NAME: "De $b",
    PRETTY_NAME: 'a "b" $c \\x',
    VERSION_ID: "13",
    E: "",
  });
});

test("osIdentity() falls back from one variable to the next", () => {
  assert.deepEqual(osIdentity(parseOsRelease('ID=\nNAME=N\nVERSION="1 (x)"\n')), {
    id: "bootc",
    name: "N",
    version: "1 (x)",
  });
  assert.deepEqual(osIdentity(parseOsRelease("")), { id: "bootc", name: undefined, version: undefined });
});

const ORIGIN =
  "[origin]\ncontainer-image-reference = ostree-unverified-image:docker://quay.io/example/os:latest\n\n" +
  "[boot]\nboot_type = uki\ndigest = ab\n\n[image]\nmanifest_digest = sha256:cd\n";

test("parseIni() and formatIni() keep an origin file byte for byte", () => {
  const file = parseIni(ORIGIN);
  assert.equal(file.get("boot")?.get("boot_type"), "uki");
  assert.equal(formatIni(file), ORIGIN);
});

test("parseIni() names the line of what it refuses", () => {
  assert.equal(parseIni("; c\n# c\n\n[a]\nk=v = w\n[a]\nl=\n").get("a")?.get("k"), "v = w");
  assert.throws(() => parseIni("k = v\n", "origin file"), {
    message: 'Cannot parse origin file: key "k" is before any section',
  });
  assert.throws(() => parseIni("[a]\nword\n"), { code: "corrupt", message: /line 2/ });
  assert.throws(() => parseIni("[a]\nk=1\nk=2\n"), { code: "corrupt", message: /given twice/ });
  assert.throws(() => formatIni(new Map([["a", new Map([["k", "v\nw"]])]])), { code: "corrupt" });
});

test("withIniKey() sets one key and leaves every other byte", () => {
  const cases: [text: string, value: string | undefined, expected: string][] = [
    ["", "1", "[s]\nk = 1\n"],
    ["", undefined, ""],
    [ORIGIN, undefined, ORIGIN],
    [ORIGIN, "1", `${ORIGIN}\n[s]\nk = 1\n`],
    ["[a]\nx=1", "1", "[a]\nx=1\n\n[s]\nk = 1\n"],
    ["[s]\n", "1", "[s]\nk = 1\n"],
    ["[s]", "1", "[s]\nk = 1\n"],
    ["[ s ]\n# c\nkk=2\n; end\n\n\n[b]\nk=3\n", "1", "[ s ]\n# c\nkk=2\n; end\nk = 1\n\n\n[b]\nk=3\n"],
    ["[s]\n  k=old \n x = y\r\n", "1", "[s]\nk = 1\n x = y\r\n"],
    ["[s]\n#k=no\nk=old", undefined, "[s]\n#k=no\n"],
    ["[a]\nx=1\n\n[s]\nk = 1\n", undefined, "[a]\nx=1\n"],
    ["[s]\nk = 1\n\n[b]\n", undefined, "\n[b]\n"],
    ["[s]\nk = 1\nl = 2\n", undefined, "[s]\nl = 2\n"],
    ["[s]\nl = 2\n[b]\nk=1\n[s]\nk=4\nm=5\n", "1", "[s]\nl = 2\n[b]\nk=1\n[s]\nk = 1\nm=5\n"],
    ["[s]\nl=\xff\n[b]\n[s]\nm\u2028=5\n", "1", "[s]\nl=\xff\nk = 1\n[b]\n[s]\nm\u2028=5\n"],
  ];
  for (const [text, value, expected] of cases) {
    assert.equal(withIniKey(text, "s", "k", value), expected, JSON.stringify(text));
    assert.equal(parseIni(expected).get("s")?.get("k"), value);
  }
});

test("compareVersions() holds the chain of the UAPI version format specification", () => {
  const chain = [
    "122.1",
    "123~rc1-1",
    "123",
    "123-a",
    "123-a.1",
    "123-1",
    "123-1.1",
    "123^post1",
    "123.a-1",
    "123.1-1",
    "123a-1",
    "124-1",
  ];
  for (const [index, version] of chain.entries()) {
    assert.equal(compareVersions(version, version), 0);
    for (const newer of chain.slice(index + 1)) {
      assert.equal(compareVersions(version, newer), -1, `${version} < ${newer}`);
      assert.equal(compareVersions(newer, version), 1, `${newer} > ${version}`);
    }
  }
  assert.equal(compareVersions("1_2", "1,2"), 0);
  assert.equal(compareVersions("001", "1"), 0);
  assert.equal(compareVersions("9", "10"), -1);
});

test("compareRpmVersions() follows rpm's own cases", () => {
  const cases: [string, string, number][] = [
    ["1.0", "1.0", 0],
    ["1.0", "2.0", -1],
    ["2.0.1a", "2.0.1", 1],
    ["5.5p1", "5.5p10", -1],
    ["10xyz", "10.1xyz", -1],
    ["xyz10", "xyz10.1", -1],
    ["1.0~rc1", "1.0", -1],
    ["1.0^", "1.0", 1],
    ["1.0^git1", "1.01", -1],
    ["2_0", "2.0", 0],
    ["a", "1", -1],
  ];
  for (const [a, b, expected] of cases) {
    assert.equal(Math.sign(compareRpmVersions(a, b)), expected, `${a} against ${b}`);
    assert.equal(Math.sign(compareRpmVersions(b, a)), 0 - expected, `${b} against ${a}`);
  }
});
