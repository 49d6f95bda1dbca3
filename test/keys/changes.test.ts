/** Changes of key directories: what firmware must accept of them, judged by efitools, openssl and our own verification. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, cpSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { databaseUpdate, parseSignatureLists, verifyAuthenticatedVariable } from "../../src/efi/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import {
  addCertificates,
  type ChangedDatabase,
  databaseOfDirectory,
  generateKeys,
  loadCertificate,
  loadCertificates,
  loadEnrolledKeys,
  loadEnrolment,
  loadSigner,
  openSigner,
  removeCertificates,
  revoke,
  rotateKeys,
  verifyBootProgram,
} from "../../src/keys/index.ts";
import { authenticodeDigest, parsePe, signPe } from "../../src/pe/index.ts";
import { tryLock } from "../../src/platform/index.ts";
import { opensslKey, systemdFile, TestDirectory } from "../pe/boot-files.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const at = (name: string) => directory.file(name);
const MADE = new Date("2026-01-02T03:04:05Z");
const NOW = new Date("2026-02-03T04:05:06.700Z");
const program = systemdFile("systemd-bootx64.efi");
const stub = systemdFile("linuxx64.efi.stub");
const vendor = opensslKey(directory, "vendor").certificatePath;

before(() => generateKeys(at("made"), { now: MADE, commonName: "changing" }));

/** A copy of the keys of its own for a test. */
function keysFor(name: string): string {
  cpSync(at("made"), at(name), { recursive: true });
  return at(name);
}

const kek = (keys: string) => () => openSigner({ directory: keys, name: "KEK", secret: { mayAsk: false } });

async function refusal(work: Promise<unknown>): Promise<SealrootError> {
  const error = await work.then(
    () => assert.fail("it was not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SealrootError, String(error));
  return error;
}

/** What firmware with the directory's KEK takes: the whole, and the addition; and that efitools reads the same list. */
async function accepted(
  keys: string,
  name: "db" | "dbx",
): Promise<{ whole: string[]; appended: string[]; time: Date }> {
  const authority = [loadCertificate(join(keys, "KEK.pem"))];
  const read = async (file: string, isAppended: boolean) => {
    const target = databaseUpdate(name, [], new Date(0), isAppended);
    return verifyAuthenticatedVariable(readFileSync(join(keys, file)), target, authority);
  };
  const texts = (data: Uint8Array) =>
    parseSignatureLists(data).map((entry) => `${entry.type} ${createHash("sha256").update(entry.data).digest("hex")}`);
  const whole = await read(`${name}.auth`, false);
  assert.deepEqual(Buffer.from(whole.data), readFileSync(join(keys, `${name}.esl`)));
  const appended = await read(`${name}.append.auth`, true);
  assert.deepEqual(appended.timestamp, whole.timestamp);
  const listed = execFileSync("sig-list-to-certs", [join(keys, `${name}.esl`), at("listed")], { encoding: "utf8" });
  const certificates = parseSignatureLists(whole.data).filter(({ type }) => type === "x509");
  assert.equal(listed.match(/^X509 Header/gm)?.length ?? 0, certificates.length, listed);
  return { whole: texts(whole.data), appended: texts(appended.data), time: whole.timestamp };
}

test("revoke puts programs, certificates and digests into dbx, each once, and never takes one out", async () => {
  const keys = keysFor("revoking");
  writeFileSync(at("program.efi"), program);
  const digest = Buffer.from(authenticodeDigest(parsePe(program))).toString("hex");
  const first = await revoke(keys, [at("program.efi"), `sha256:${digest}`, digest.toUpperCase()], kek(keys), NOW);
  assert.deepEqual(first.changed, [{ kind: "digest", name: null, value: digest }]);
  assert.deepEqual(first.files, ["dbx.auth", "dbx.esl", "dbx.append.auth"]);
  const before = await accepted(keys, "dbx");
  assert.deepEqual(before.whole, before.appended);
  assert.deepEqual(before.time, new Date("2026-02-03T04:05:06Z"));
  // At the same moment, and earlier by the clock: firmware must see a later time all the same.
  const second = await revoke(keys, [vendor, digest], kek(keys), NOW);
  assert.deepEqual(
    second.changed.map(({ kind, name }) => [kind, name]),
    [["certificate", "CN=vendor"]],
  );
  const third = await revoke(keys, ["7".repeat(64)], kek(keys), MADE);
  const after = await accepted(keys, "dbx");
  assert.deepEqual(after.time, new Date("2026-02-03T04:05:08Z"));
  assert.equal(third.entries.length, 3);
  assert.deepEqual(after.whole.slice(0, 1), before.whole);
  assert.equal(after.appended.length, 1);
  // Nothing new: nothing is written, and no key is needed.
  const files = readdirSync(keys).map((name) => [name, statSync(join(keys, name)).mtimeMs]);
  const again = await revoke(keys, [vendor], () => assert.fail("no signature is needed"), NOW);
  assert.deepEqual([again.changed, again.files, again.entries.length], [[], [], 3]);
  assert.deepEqual(
    readdirSync(keys).map((name) => [name, statSync(join(keys, name)).mtimeMs]),
    files,
  );
  // What is sealed with the directory enrols it, and is judged by it.
  assert.deepEqual(Buffer.from((await loadEnrolment(keys, NOW)).dbx ?? []), readFileSync(join(keys, "dbx.auth")));
  const database = databaseOfDirectory(keys);
  await verifyBootProgram(await signPe(stub, loadSigner(keys)), "the stub", [database]);
  const revoked = await refusal(verifyBootProgram(await signPe(program, loadSigner(keys)), "the loader", [database]));
  assert.match(revoked.message, /its digest is in dbx$/);
});

test("efitools' own update of dbx is read, and gets longer", async () => {
  const keys = keysFor("foreign");
  const list = execFileSync("cert-to-efi-sig-list", [vendor, at("vendor.esl")], { stdio: "ignore" });
  assert.equal(list, null);
  const words = ["-t", "2026-05-01 00:00:00", "-k", join(keys, "KEK.key"), "-c", join(keys, "KEK.pem")];
  execFileSync("sign-efi-sig-list", [...words, "dbx", at("vendor.esl"), join(keys, "dbx.auth")], { stdio: "ignore" });
  const report = await revoke(keys, ["7".repeat(64)], kek(keys), NOW);
  assert.equal(report.entries.length, 2);
  const { time, whole } = await accepted(keys, "dbx");
  assert.equal(whole.length, 2);
  assert.ok(time > new Date("2026-04-30T00:00:00Z"), time.toISOString());
});

test("an update of dbx that only adds is for machines that run: it is not enrolled, nor made longer", async () => {
  const keys = keysFor("adding-only");
  execFileSync("cert-to-efi-sig-list", [vendor, at("vendor.esl")], { stdio: "ignore" });
  for (const time of [[], ["-t", "2026-05-01 00:00:00"]]) {
    const words = ["-a", ...time, "-k", join(keys, "KEK.key"), "-c", join(keys, "KEK.pem")];
    execFileSync("sign-efi-sig-list", [...words, "dbx", at("vendor.esl"), join(keys, "dbx.auth")], { stdio: "ignore" });
    assert.equal((await loadEnrolment(keys, NOW)).dbx, undefined);
    const error = await refusal(revoke(keys, ["7".repeat(64)], kek(keys), NOW));
    assert.match(error.message, /dbx\.auth: it is an update that only adds$/);
    assert.equal(databaseOfDirectory(keys).forbidden.length, 1);
  }
});

test("what revoke refuses: the key in use, other files, a dbx that the KEK did not sign", async () => {
  const keys = keysFor("refusing");
  writeFileSync(at("text"), "hello\n");
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [join(keys, "db.der"), "conflict", /it is the certificate that \S+ signs with$/],
    [at("text"), "corrupt", /^Cannot read certificate /],
    [at("none"), "not-found", /^Cannot read none/],
    ["12ab", "not-found", /^Cannot read 12ab/],
  ];
  for (const [item, code, message] of cases) {
    const error = await refusal(revoke(keys, [item], kek(keys), NOW));
    assert.match(error.message, message);
    assert.equal(error.code, code);
  }
  const other = keysFor("other");
  await revoke(other, ["7".repeat(64)], async () => loadSigner(other, "PK"), NOW);
  const error = await refusal(revoke(other, ["8".repeat(64)], kek(other), NOW));
  assert.match(error.message, /dbx\.auth: .*its certificate "CN=changing PK" is neither trusted nor issued/);
  assert.equal(error.code, "untrusted");
  assert.ok(!readdirSync(keys).some((name) => name.startsWith("dbx")));
});

test("vendors' certificates are added to db, at once or later, and removed again", async () => {
  const vendorDer = loadCertificate(vendor);
  await generateKeys(at("with-vendor"), { now: MADE, commonName: "with vendor", addedCertificates: [vendorDer] });
  const generated = parseSignatureLists(readFileSync(at("with-vendor/db.esl")));
  assert.deepEqual(Buffer.from(generated[1]?.data ?? []), Buffer.from(vendorDer));
  const keys = keysFor("adding");
  const added = await addCertificates(keys, [vendor, vendor], kek(keys), NOW);
  assert.deepEqual(
    added.entries.map(({ name }) => name),
    ["CN=changing db", "CN=vendor"],
  );
  assert.deepEqual((await accepted(keys, "db")).whole.length, 2);
  assert.deepEqual(Buffer.from((await loadEnrolment(keys, NOW)).db), readFileSync(join(keys, "db.auth")));
  const signedByVendor = await signPe(
    stub,
    await openSigner({ certificate: vendor, key: vendor.replace(".pem", ".key"), secret: { mayAsk: false } }),
  );
  await verifyBootProgram(signedByVendor, "the stub", [databaseOfDirectory(keys)]);
  const removed = await removeCertificates(keys, [vendor], kek(keys), NOW);
  assert.deepEqual(removed.files, ["db.auth", "db.esl"]);
  assert.deepEqual(
    removed.entries.map(({ name }) => name),
    ["CN=changing db"],
  );
  assert.equal((await refusal(removeCertificates(keys, [vendor], kek(keys), NOW))).code, "not-found");
  assert.equal((await refusal(removeCertificates(keys, [join(keys, "db.pem")], kek(keys), NOW))).code, "conflict");
  await assert.rejects(verifyBootProgram(signedByVendor, "the stub", [databaseOfDirectory(keys)]));
});

test("rotation: old images and new ones are accepted, then only the new", async () => {
  const keys = keysFor("rotating");
  const before = statSync(keys);
  const oldKey = readFileSync(join(keys, "db.key"), "utf8");
  const byOld = await signPe(program, loadSigner(keys));
  const report = await rotateKeys(keys, kek(keys), { now: NOW });
  assert.equal(report.previous.subject, "CN=changing db");
  assert.equal(report.certificate.subject, "CN=changing db");
  assert.notEqual(report.certificate.fingerprintSha256, report.previous.fingerprintSha256);
  const stem = `db-${report.previous.fingerprintSha256.slice(0, 12)}`;
  assert.deepEqual([...report.previousFiles].sort(), [`${stem}.der`, `${stem}.key`, `${stem}.pem`]);
  assert.equal(readFileSync(join(keys, `${stem}.key`), "utf8"), oldKey);
  assert.deepEqual([statSync(join(keys, "db.key")).mode & 0o777, statSync(keys).mode], [0o600, before.mode]);
  assert.equal(report.entries.length, 2);
  assert.equal((await accepted(keys, "db")).whole.length, 2);
  const byNew = await signPe(program, loadSigner(keys));
  for (const signed of [byOld, byNew]) await verifyBootProgram(signed, "the loader", [databaseOfDirectory(keys)]);
  await loadEnrolment(keys, NOW);
  const ended = await removeCertificates(keys, [join(keys, `${stem}.pem`)], kek(keys), NOW);
  assert.equal(ended.entries.length, 1);
  await verifyBootProgram(byNew, "the loader", [databaseOfDirectory(keys)]);
  await assert.rejects(
    verifyBootProgram(byOld, "the loader", [databaseOfDirectory(keys)]),
    /neither trusted nor issued/,
  );
  // A second rotation keeps the first one's files.
  const again = await rotateKeys(keys, kek(keys), { now: NOW, commonName: "renamed" });
  assert.equal(again.certificate.subject, "CN=renamed db");
  assert.equal(readdirSync(keys).filter((name) => /^db-.*\.key$/.test(name)).length, 2);
  assert.deepEqual(
    readdirSync(directory.path).filter((name) => name.startsWith(".")),
    [],
  );
});

test("two changes at once: one is made, the other refused; killed half-way, the directory is the old one or the new", async () => {
  const keys = keysFor("busy");
  const descriptor = openSync(keys, "r");
  assert.ok(tryLock(descriptor, "exclusive"));
  for (const change of [
    revoke(keys, ["7".repeat(64)], kek(keys), NOW),
    addCertificates(keys, [vendor], kek(keys), NOW),
    rotateKeys(keys, kek(keys), { now: NOW }),
  ]) {
    const error = await refusal(change);
    assert.match(error.message, /somebody else does just now$/);
    assert.equal(error.code, "conflict");
  }
  closeSync(descriptor);
  const main = join(import.meta.dirname, "../../src/cli/main.ts");
  for (const delayMs of [250, 450, 650, 900]) {
    const child = spawn(process.execPath, [main, "keys", "rotate", keys, "-q"], { stdio: "ignore" });
    setTimeout(() => child.kill("SIGKILL"), delayMs);
    await new Promise((resolve) => child.on("exit", resolve));
    loadSigner(keys);
    await loadEnrolment(keys, NOW);
    await verifyBootProgram(await signPe(stub, loadSigner(keys)), "the stub", [databaseOfDirectory(keys)]);
  }
  rmSync(keys, { recursive: true });
});

test("a hundred times more entries are one update", async () => {
  const keys = keysFor("many");
  const digests = Array.from({ length: 500 }, (_, index) => createHash("sha256").update(String(index)).digest("hex"));
  const report: ChangedDatabase = await revoke(keys, digests, kek(keys), NOW);
  assert.equal(report.changed.length, 500);
  assert.equal((await accepted(keys, "dbx")).whole.length, 500);
});

test("a machine with the keys of a directory has all certificates of db, and what was revoked", async () => {
  const keys = keysFor("enrolled");
  const [old] = loadCertificates(keys).certificates.db;
  await rotateKeys(keys, kek(keys), { now: NOW });
  await addCertificates(keys, [vendor], kek(keys), NOW);
  await revoke(keys, [vendor], kek(keys), NOW);
  const { allowed, forbidden, certificates } = loadEnrolledKeys(keys);
  const hexOf = (entries: readonly { readonly data: Uint8Array }[]) =>
    entries.map(({ data }) => Buffer.from(data).toString("hex")).sort();
  const wanted = [certificates.db[0], old, loadCertificate(vendor)].map((data) => ({ data: data ?? new Uint8Array() }));
  assert.deepEqual(hexOf(allowed), hexOf(wanted));
  assert.deepEqual(hexOf(forbidden), hexOf([{ data: loadCertificate(vendor) }]));
});
