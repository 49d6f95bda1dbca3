import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { compareRpmPackageVersions, parseRpmDatabase, parseRpmHeader } from "../../src/packages/index.ts";
import { rpmHeader } from "./rpm-database.ts";

const VECTOR = join(import.meta.dirname, "../vectors/packages/rpmdb.sqlite.zst");

test("rpm's own database: what rpm -qa lists", () => {
  const packages = parseRpmDatabase(zstdDecompressSync(readFileSync(VECTOR)));
  const lines = packages.map(({ name, version, architecture }) => `${name} ${version} ${architecture}`);
  assert.deepEqual(lines.sort(), [
    "base 1.0-1 noarch",
    "epochal 7:3.2~rc1-4.fc43 noarch",
    "kernel-core 6.12.1-100.fc43 x86_64",
    "kernel-core 6.12.9-200.fc43 x86_64",
    "wide 2.0^git1-1 noarch",
  ]);
});

const GOOD = [
  [1000, "bash"],
  [1001, "5.2"],
  [1002, "3.fc43"],
] as const;

test("a header without architecture, with an epoch, with an epoch of 0", () => {
  assert.deepEqual(parseRpmHeader(rpmHeader(GOOD)), { name: "bash", version: "5.2-3.fc43", architecture: undefined });
  assert.equal(parseRpmHeader(rpmHeader([...GOOD, [1003, 4294967295]])).version, "4294967295:5.2-3.fc43");
  assert.equal(parseRpmHeader(rpmHeader([...GOOD, [1003, 0]])).version, "0:5.2-3.fc43");
});

test("a header that is none is refused", () => {
  const good = rpmHeader(GOOD);
  const beyond = Buffer.from(good);
  beyond.writeUInt32BE(1 << 30, 8 + 8);
  const refused: readonly (readonly [Uint8Array, string])[] = [
    [new Uint8Array(7), "a header is cut off"],
    [good.subarray(0, good.length - 1), "a header is cut off"],
    [Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255), "a header is cut off"],
    [rpmHeader(GOOD.slice(1)), "a package has no tag 1000"],
    [rpmHeader(GOOD.slice(0, 2)), "a package has no tag 1002"],
    [rpmHeader([[1000, 7], ...GOOD.slice(1)]), "tag 1000 has a wrong type"],
    [rpmHeader([...GOOD, [1003, "1"]]), "tag 1003 has a wrong type"],
    [rpmHeader([[1000, "a\n"], ...GOOD.slice(1)]), "tag 1000 has characters that it cannot have"],
    [rpmHeader([[1000, ""], ...GOOD.slice(1)]), "tag 1000 has characters that it cannot have"],
    [beyond, "the value of tag 1000 is cut off"],
  ];
  for (const [bytes, reason] of refused) {
    assert.throws(() => parseRpmHeader(bytes), { code: "corrupt", message: `Cannot read rpm's database: ${reason}` });
  }
});

test("versions: epoch, then version, then release", () => {
  const ascending = [
    "1.0~rc1-1",
    "1.0-1",
    "1.0-1.1",
    "1.0-2",
    "1.0^git1-1",
    "1.0.1-1",
    "1.10-1",
    "1:0.1-1",
    "10:0.1-1",
  ];
  for (const [index, version] of ascending.entries()) {
    for (const [otherIndex, other] of ascending.entries()) {
      assert.equal(
        Math.sign(compareRpmPackageVersions(version, other)),
        Math.sign(index - otherIndex),
        `${version} ${other}`,
      );
    }
  }
  assert.equal(compareRpmPackageVersions("0:1-1", "1-1"), 0);
});
