import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CommandLine,
  findComposefsArgument,
  formatComposefsArgument,
  formatDigestArgument,
} from "../../src/bls/index.ts";

const SHA256 = "ab".repeat(32);
const SHA512 = "cd".repeat(64);
const find = (text: string) => findComposefsArgument(CommandLine.parse(text));

test("findComposefsArgument() reads the plain form of both digest lengths", () => {
  assert.deepEqual(find(`rw composefs=${SHA512} quiet`), {
    id: SHA512,
    algorithm: "sha512",
    verityOptional: false,
    formatVersion: undefined,
  });
  assert.deepEqual(find(`composefs=?${SHA256.toUpperCase()}`), {
    id: SHA256,
    algorithm: "sha256",
    verityOptional: true,
    formatVersion: undefined,
  });
  assert.equal(find("root=/dev/vda composefsx=1 rd.composefs=2"), undefined);
});

test("findComposefsArgument() reads the self-describing form", () => {
  assert.deepEqual(find(`composefs.digest=?v2-sha256-12:${SHA256}`), {
    id: SHA256,
    algorithm: "sha256",
    verityOptional: true,
    formatVersion: 2,
  });
  for (const value of [`v3-sha512-12:${SHA512}`, `v1-sha1-12:${SHA512}`, `v1-sha512-16:${SHA512}`, SHA512, ""]) {
    assert.throws(() => find(`composefs.digest=${value}`), { code: "unsupported" });
  }
  assert.throws(() => find(`composefs.digest=v1-sha512-12:${SHA256}`), { code: "corrupt" });
});

test("findComposefsArgument() refuses a malformed digest", () => {
  for (const text of ["composefs", "composefs=", "composefs=?", `composefs=${SHA512}0`, `composefs=??${SHA512}`]) {
    assert.throws(() => find(text), { code: "corrupt", message: /64 or 128 hex digits/ });
  }
  assert.throws(() => find(`composefs=${"g".repeat(128)}`), { code: "corrupt" });
});

test("findComposefsArgument() refuses more than one, equal, different, quoted or of both forms", () => {
  const first = `composefs=${SHA512}`;
  for (const second of [
    first,
    `composefs=${SHA256}`,
    `"composefs=${SHA512}"`,
    "composefs",
    `composefs.digest=v1-sha512-12:${SHA512}`,
  ]) {
    assert.throws(() => find(`${first} rw ${second}`), {
      code: "untrusted",
      message: "Cannot choose the root image: 2 composefs arguments on the kernel command line, 1 expected",
    });
  }
});

test("formatComposefsArgument() writes what findComposefsArgument() reads", () => {
  assert.equal(formatComposefsArgument(SHA512), `composefs=${SHA512}`);
  assert.equal(find(formatComposefsArgument(SHA256, true))?.verityOptional, true);
});

test("formatDigestArgument() states format and hash, and findComposefsArgument() reads it", () => {
  assert.equal(formatDigestArgument(SHA256, "sha256", 0), `composefs.digest=v1-sha256-12:${SHA256}`);
  assert.equal(formatDigestArgument(SHA512, "sha512", 2), `composefs=${SHA512}`);
  const { id, algorithm, formatVersion } = find(formatDigestArgument(SHA512, "sha512", 1)) ?? {};
  assert.deepEqual([id, algorithm, formatVersion], [SHA512, "sha512", 1]);
});
