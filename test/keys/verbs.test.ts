import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import type { Output } from "../../src/verbs/index.ts";
import { buildTime } from "../../src/verbs/shared/build-time.ts";
import { TestDirectory } from "../pe/boot-files.ts";
import { failsWith } from "../pe/keys.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());

async function sealroot(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const output: Output = {
    line: (text) => out.push(text),
    bytes: async (chunk) => {
      out.push(Buffer.from(chunk).toString());
    },
    json: (value) => out.push(JSON.stringify(value)),
    remark: (text) => err.push(text),
  };
  const code = await main(words, output);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

test("keys generate makes a directory that keys list finds in order", async () => {
  const path = directory.file("keys");
  const made = await sealroot("keys", "generate", path, "--common-name", "Example");
  assert.equal(made.code, 0);
  assert.match(
    made.out,
    /^KEY {2}SUBJECT +VALID TO +SHA-256 FINGERPRINT\nPK {3}CN=Example PK {3}\d{4}-\d\d-\d\d {2}[0-9a-f]{64}\n/,
  );
  const listed = await sealroot("keys", "list", path);
  assert.equal(listed.code, 0);
  assert.equal(listed.out.split("\n").length, 4);
  assert.match(listed.out, /\ndb {3}CN=Example db +2048 {2}\S+ {2}\S+ {2}matches +[0-9a-f]{64}$/);
});

test("keys list --json reports, and exits 1 when a key does not match", async () => {
  const path = directory.file("mismatch");
  const made = await sealroot("keys", "generate", path, "--json");
  const generated = JSON.parse(made.out);
  assert.equal(generated.ownerGuid, readFileSync(`${path}/GUID.txt`, "utf8").trim());
  cpSync(`${path}/PK.key`, `${path}/db.key`);
  const listed = await sealroot("keys", "list", "--json", path);
  assert.equal(listed.code, 1);
  const report = JSON.parse(listed.out).keys;
  assert.equal(report[2].keyMatches, false);
  assert.equal(report[2].fingerprintSha256, generated.certificates.db.fingerprintSha256);
  assert.match((await sealroot("keys", "list", path)).out, /DOES NOT MATCH/);
});

test("keys revoke --sbat raises the generation of the directory's own component, and keeps other lines of the level", async () => {
  const path = directory.file("raising");
  await sealroot("keys", "generate", path);
  const owner = readFileSync(`${path}/GUID.txt`, "utf8").trim();
  const sbat = readFileSync(`${path}/sbat.csv`, "utf8");
  const raise = () => sealroot("keys", "revoke", path, "--sbat");
  const first = await raise();
  const written = `${path}: wrote sbat.csv, SbatLevel.csv`;
  assert.deepEqual([first.code, first.out], [0, `Revoked uki.${owner} before generation 2\n${written}`], first.err);
  assert.equal(readFileSync(`${path}/sbat.csv`, "utf8"), sbat.replace(`uki.${owner},1,`, `uki.${owner},2,`));
  const level = readFileSync(`${path}/SbatLevel.csv`, "utf8");
  assert.match(level, new RegExp(`^sbat,1,20\\d{6}00\nuki\\.${owner},2\n$`));
  writeFileSync(`${path}/SbatLevel.csv`, `sbat,1,2999123199\nshim,4\nuki.${owner},2\ngrub.debian,5,x\n`);
  assert.equal((await raise()).code, 0);
  const kept = `sbat,1,2999123200\nshim,4\ngrub.debian,5\nuki.${owner},3\n`;
  assert.equal(readFileSync(`${path}/SbatLevel.csv`, "utf8"), kept);

  const untouched = readFileSync(`${path}/sbat.csv`);
  writeFileSync(`${path}/SbatLevel.csv`, "shim,4\n");
  assert.match((await raise()).err, /^sealroot: Cannot read .*SbatLevel\.csv: it is no SbatLevel\n/);
  assert.deepEqual(readFileSync(`${path}/sbat.csv`), untouched);
  writeFileSync(`${path}/sbat.csv`, "no lines\n");
  assert.match((await raise()).err, /Cannot use .*sbat\.csv: a line of it is not one of SBAT/);
  rmSync(`${path}/sbat.csv`);
  const none = await raise();
  assert.equal(none.code, 1);
  assert.match(none.err, /its seals name no component of yours/);
  assert.match(none.err, new RegExp(`expected: uki\\.${owner},1,`));
  for (const words of [[], ["--sbat", "5".repeat(64)]]) {
    const wrong = await sealroot("keys", "revoke", path, ...words);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /Cannot revoke: (nothing is named|--sbat takes no ITEM)/);
  }
});

test("keys generate refuses an existing set, wrong options and says so on one line", async () => {
  const path = directory.file("again");
  await sealroot("keys", "generate", path);
  const again = await sealroot("keys", "generate", path);
  assert.equal(again.code, 1);
  assert.equal(again.out, "");
  assert.match(
    again.err,
    /^sealroot: Cannot generate keys in .*again: it is not empty\n {2}existing keys are never overwritten/,
  );
  assert.equal((await sealroot("keys", "generate", directory.file("x"), "--rsa-bits", "1024")).code, 2);
  assert.equal((await sealroot("keys", "generate", directory.file("x"), "--days", "soon")).code, 2);
  assert.equal((await sealroot("keys", "list", directory.file("x"))).code, 1);
});

test("SOURCE_DATE_EPOCH sets the time", () => {
  assert.equal(buildTime({ SOURCE_DATE_EPOCH: "1700000000" }).toISOString(), "2023-11-14T22:13:20.000Z");
  assert.ok(Math.abs(buildTime({}).getTime() - Date.now()) < 60_000);
  for (const text of ["yesterday", "-1", "1.5", "9999999999999"]) {
    assert.throws(() => buildTime({ SOURCE_DATE_EPOCH: text }), failsWith("usage", /is not a number of seconds/), text);
  }
});
