import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CommandLine,
  findComposefsArguments,
  formatComposefsArgument,
  formatDigestArgument,
} from "../../src/bls/index.ts";

const SHA256 = "ab".repeat(32);
const SHA512 = "cd".repeat(64);
/** Of a line with one. */
const find = (text: string) => {
  const [argument, ...others] = findComposefsArguments(CommandLine.parse(text));
  assert.equal(others.length, 0);
  return argument;
};

test("findComposefsArguments() reads the plain form of both digest lengths", () => {
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

test("findComposefsArguments() reads the self-describing form", () => {
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

test("findComposefsArguments() refuses a malformed digest", () => {
  for (const text of ["composefs", "composefs=", "composefs=?", `composefs=${SHA512}0`, `composefs=??${SHA512}`]) {
    assert.throws(() => find(text), { code: "corrupt", message: /64 or 128 hex digits/ });
  }
  assert.throws(() => find(`composefs=${"g".repeat(128)}`), { code: "corrupt" });
});

const OTHER = "ef".repeat(64);
const DIGEST = `composefs.digest=v1-sha512-12:${SHA512}`;
const findAll = (text: string) => findComposefsArguments(CommandLine.parse(text));
const ids = (text: string) => findAll(text).map(({ id, formatVersion }) => [id, formatVersion]);

test("findComposefsArguments() reads one of each form, that of version 1 first wherever it is", () => {
  assert.deepEqual(findAll("rw quiet"), []);
  assert.deepEqual(ids(`rw composefs=${OTHER}`), [[OTHER, undefined]]);
  assert.deepEqual(ids(`${DIGEST} rw`), [[SHA512, 1]]);
  const both = [
    [SHA512, 1],
    [OTHER, undefined],
  ];
  assert.deepEqual(ids(`${DIGEST} composefs=${OTHER} rw`), both);
  assert.deepEqual(ids(`composefs=${OTHER} rw "${DIGEST}"`), both);
  assert.deepEqual(ids(`composefs=${OTHER} composefs.digest=v2-sha512-12:${SHA512}`), [
    [OTHER, undefined],
    [SHA512, 2],
  ]);
  // A bare argument with the digest of a version 1 image, as bootc 1.16.4 to 1.16.13 wrote it.
  assert.deepEqual(ids(`${DIGEST} composefs=${SHA512}`), [
    [SHA512, 1],
    [SHA512, undefined],
  ]);
  const optional = findAll(`composefs.digest=?v1-sha512-12:${SHA512} composefs=?${OTHER}`);
  assert.deepEqual(
    optional.map(({ verityOptional }) => verityOptional),
    [true, true],
  );
});

test("findComposefsArguments() refuses two of one form: equal, different, quoted, empty, beside one of the other", () => {
  const bare = `composefs=${SHA512}`;
  for (const second of [bare, `composefs=${OTHER}`, `"composefs=${SHA512}"`, "composefs", "composefs="]) {
    for (const line of [`${bare} rw ${second}`, `${DIGEST} ${bare} rw ${second}`, `${bare} ${second} ${DIGEST}`]) {
      assert.throws(() => findAll(line), {
        code: "untrusted",
        message: "Cannot choose the root image: 2 times composefs= on the kernel command line, at most 1 expected",
      });
    }
  }
  for (const second of [DIGEST, "composefs.digest=v2-sha512-12:", `composefs.digest=v1-sha256-12:${SHA256}`]) {
    assert.throws(() => findAll(`${DIGEST} ${bare} ${second}`), {
      code: "untrusted",
      message: "Cannot choose the root image: 2 times composefs.digest= on the kernel command line, at most 1 expected",
    });
  }
  assert.throws(() => findAll(Array(100).fill(bare).join(" ")), {
    code: "untrusted",
    message: /: 100 times composefs= /,
  });
});

test("findComposefsArguments() refuses two that do not agree about fs-verity or the hash", () => {
  for (const line of [`${DIGEST} composefs=?${OTHER}`, `composefs.digest=?v1-sha512-12:${SHA512} composefs=${OTHER}`]) {
    assert.throws(() => findAll(line), {
      code: "conflict",
      message: 'Cannot choose the root image: only one of the two composefs arguments has "?"',
    });
  }
  assert.throws(() => findAll(`${DIGEST} composefs=${SHA256}`), {
    code: "conflict",
    message: "Cannot choose the root image: the two composefs arguments have different hashes",
  });
  assert.throws(() => findAll(`${DIGEST} composefs=${"g".repeat(128)}`), { code: "corrupt" });
});

test("formatComposefsArgument() writes what findComposefsArguments() reads", () => {
  assert.equal(formatComposefsArgument(SHA512), `composefs=${SHA512}`);
  assert.equal(find(formatComposefsArgument(SHA256, true))?.verityOptional, true);
});

test("formatDigestArgument() states format and hash, and findComposefsArguments() reads it", () => {
  assert.equal(formatDigestArgument(SHA256, "sha256", 0), `composefs.digest=v1-sha256-12:${SHA256}`);
  assert.equal(formatDigestArgument(SHA512, "sha512", 2), `composefs=${SHA512}`);
  const optional = formatDigestArgument(SHA512, "sha512", 1, true);
  assert.equal(optional, `composefs.digest=?v1-sha512-12:${SHA512}`);
  assert.equal(find(optional)?.verityOptional, true);
  assert.equal(formatDigestArgument(SHA512, "sha512", 2, true), `composefs=?${SHA512}`);
  const { id, algorithm, formatVersion } = find(formatDigestArgument(SHA512, "sha512", 1)) ?? {};
  assert.deepEqual([id, algorithm, formatVersion], [SHA512, "sha512", 1]);
});
