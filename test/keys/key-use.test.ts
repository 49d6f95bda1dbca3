import assert from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { claimKey, generateKeys, listKeys } from "../../src/keys/index.ts";
import { run, TestDirectory } from "../pe/boot-files.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const NOW = new Date("2026-01-01T00:00:00Z");
const template = directory.file("template");
await generateKeys(template, { now: NOW });
const noWarning = (text: string) => assert.fail(text);

function copyOfKeys(name: string): string {
  const path = directory.file(name);
  run("cp", ["-r", template, path]);
  return path;
}

test("a key that has signed strict images signs no other unless told, and the other way round", () => {
  for (const [kind, other] of [
    ["strict", "lenient"],
    ["lenient", "strict"],
  ] as const) {
    const keys = copyOfKeys(kind);
    // A claim that comes to nothing leaves no mark.
    claimKey(keys, other, false);
    assert.deepEqual(readdirSync(keys), readdirSync(template));
    claimKey(keys, kind, false).record(noWarning);
    claimKey(keys, kind, false).record(noWarning);
    const mark = `db.signed-${kind}`;
    assert.deepEqual(
      readdirSync(keys).filter((name) => !readdirSync(template).includes(name)),
      [mark],
    );
    const [{ fingerprintSha256 } = { fingerprintSha256: "" }] = listKeys(keys).filter(({ name }) => name === "db");
    assert.ok(readFileSync(`${keys}/${mark}`, "utf8").includes(fingerprintSha256));
    assert.throws(() => claimKey(keys, other, false), {
      code: "conflict",
      message:
        kind === "strict"
          ? /^Cannot sign an image that does not require fs-verity: the db key has signed images that do, and a copy of this UKI/
          : /^Cannot sign an image that requires fs-verity: the db key has signed images that do not, and one of those, copied/,
    });
    claimKey(keys, other, true).record(noWarning);
    assert.ok(readdirSync(keys).includes(`db.signed-${other}`));
    // Both marks are there now: neither goes without being told.
    for (const again of ["strict", "lenient"] as const)
      assert.throws(() => claimKey(keys, again, false), { code: "conflict" });
    claimKey(keys, kind, true);
  }
});

test("of two that sign different kinds at once, not both get through", () => {
  const keys = copyOfKeys("race");
  const strict = claimKey(keys, "strict", false);
  const lenient = claimKey(keys, "lenient", false);
  strict.record(noWarning);
  assert.throws(() => lenient.record(noWarning), { code: "conflict" });
});

test("a mark left from an earlier key says nothing about this one", () => {
  const keys = copyOfKeys("replaced");
  writeFileSync(`${keys}/db.signed-strict`, `SHA-256 fingerprint of its certificate: ${"0".repeat(64)}\n`);
  claimKey(keys, "lenient", false).record(noWarning);
});

test("the mark needs the certificate of db alone", () => {
  const keys = directory.file("certificate-only");
  run("mkdir", [keys]);
  run("cp", [`${template}/db.pem`, keys]);
  claimKey(keys, "strict", false).record(noWarning);
  assert.throws(() => claimKey(keys, "lenient", false), { code: "conflict" });
  assert.throws(() => claimKey(directory.file("none"), "strict", false), { code: "not-found" });
});

test("a directory that cannot be written to is warned of, as the refusal will not come later", () => {
  const keys = copyOfKeys("read-only");
  // Even for root: a directory stands where the mark goes.
  run("mkdir", [`${keys}/mark`]);
  run("ln", ["-s", "missing/mark", `${keys}/db.signed-strict`]);
  chmodSync(keys, 0o500);
  const warnings: string[] = [];
  claimKey(keys, "strict", false).record((text) => warnings.push(text));
  chmodSync(keys, 0o700);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /^Cannot mark the key as one for strict images: ENOENT/);
});

test("keys list shows what a key has signed", () => {
  const keys = copyOfKeys("listed");
  claimKey(keys, "strict", false).record(noWarning);
  assert.deepEqual(
    listKeys(keys).map(({ name, signedKinds }) => [name, signedKinds]),
    [
      ["PK", undefined],
      ["KEK", undefined],
      ["db", ["strict"]],
    ],
  );
});
