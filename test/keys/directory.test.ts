import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { parseAuthenticatedVariable } from "../../src/efi/index.ts";
import {
  commandSigner,
  generateKeys,
  listKeys,
  loadCertificates,
  loadEnrolment,
  loadSigner,
} from "../../src/keys/index.ts";
import { signPe, verifyPe } from "../../src/pe/index.ts";
import { opensslKey, run, systemdFile, TestDirectory } from "../pe/boot-files.ts";
import { certificateDer, failsWith } from "../pe/keys.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const NOW = new Date("2026-11-23T08:09:10Z");
const LATER = new Date("2027-01-01T00:00:00Z");
const pristine = directory.file("pristine");
await generateKeys(pristine, { now: NOW });

let copies = 0;
/** A fresh copy of the generated keys with something changed. */
function changed(change: (path: string) => void): string {
  const path = directory.file(`copy-${copies++}`);
  cpSync(pristine, path, { recursive: true });
  change(path);
  return path;
}

test("listKeys() shows PK, KEK and db with their state", () => {
  assert.deepEqual(
    listKeys(pristine).map(({ name, subject, keyMatches }) => [name, subject, keyMatches]),
    [
      ["PK", "CN=sealroot PK", true],
      ["KEK", "CN=sealroot KEK", true],
      ["db", "CN=sealroot db", true],
    ],
  );
  const partial = changed((path) => {
    rmSync(`${path}/PK.key`);
    cpSync(`${path}/KEK.key`, `${path}/db.key`);
    for (const end of ["pem", "der"]) rmSync(`${path}/KEK.${end}`);
  });
  assert.deepEqual(
    listKeys(partial).map(({ name, privateKeyPath, keyMatches }) => [name, privateKeyPath, keyMatches]),
    [
      ["PK", undefined, undefined],
      ["db", `${partial}/db.key`, false],
    ],
  );
});

test("listKeys() of a directory without keys says what it looked for", () => {
  assert.throws(() => listKeys(directory.path), failsWith("not-found", /holds no certificate of PK, KEK or db/));
  assert.throws(() => listKeys(directory.file("absent")), failsWith("not-found", /holds no certificate/));
});

test("loadSigner() names what is missing or does not match", () => {
  const noKey = changed((path) => rmSync(`${path}/db.key`));
  assert.throws(() => loadSigner(noKey), failsWith("not-found", /db\.key is missing/));
  const noCertificate = changed((path) => removeFiles(path, "db.pem", "db.der"));
  assert.throws(() => loadSigner(noCertificate), failsWith("not-found", /the certificate db\.pem is missing/));
  const swapped = changed((path) => cpSync(`${path}/PK.key`, `${path}/db.key`));
  assert.throws(() => loadSigner(swapped), failsWith("conflict", /db\.key does not belong to .*db\.pem/));
  const disagreeing = changed((path) => cpSync(`${path}/PK.der`, `${path}/db.der`));
  assert.throws(
    () => loadSigner(disagreeing),
    failsWith("conflict", /db\.pem and .*db\.der hold different certificates/),
  );
});

test("unusable key and certificate files are named", () => {
  const cases: readonly [name: string, change: (path: string) => void, code: string, message: RegExp][] = [
    [
      "text as key",
      (path) => writeFileSync(`${path}/db.key`, "secret"),
      "corrupt",
      /private key .*db\.key: it is neither PEM nor PKCS #8/,
    ],
    ["empty key", (path) => writeFileSync(`${path}/db.key`, ""), "corrupt", /private key .*db\.key/],
    [
      "text as certificate",
      (path) => writeFileSync(`${path}/db.pem`, "cert"),
      "corrupt",
      /^Cannot read certificate .*db\.pem: /,
    ],
    [
      "two certificates",
      (path) => doubleFile(`${path}/db.pem`),
      "corrupt",
      /db\.pem: it holds 2 certificates, one wanted/,
    ],
    [
      "huge certificate",
      (path) => writeFileSync(`${path}/db.pem`, Buffer.alloc(2 << 20)),
      "corrupt",
      /2097152 bytes are too many/,
    ],
    ["encrypted key", encryptKey, "unsupported", /private key .*db\.key: it is encrypted/],
    ["directory as key", directoryAsKey, "failed", /^Cannot read .*db\.key: EISDIR/],
  ];
  for (const [name, change, code, message] of cases) {
    const path = changed(change);
    assert.throws(() => loadSigner(path), failsWith(code, message), name);
  }
});

function removeFiles(path: string, ...names: readonly string[]): void {
  for (const name of names) rmSync(`${path}/${name}`);
}

function doubleFile(path: string): void {
  const content = readFileSync(path);
  writeFileSync(path, Buffer.concat([content, content]));
}

function encryptKey(path: string): void {
  const key = createPrivateKey(readFileSync(`${path}/db.key`));
  const options = { format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "secret" } as const;
  writeFileSync(`${path}/db.key`, key.export(options));
}

function directoryAsKey(path: string): void {
  rmSync(`${path}/db.key`);
  mkdirSync(`${path}/db.key`);
}

test("the names of bootc's examples and of sbctl are understood", () => {
  const bootc = changed((path) => {
    for (const name of ["PK", "KEK", "db"]) {
      renameSync(`${path}/${name}.pem`, `${path}/${name}.crt`);
      renameSync(`${path}/${name}.der`, `${path}/${name}.cer`);
    }
  });
  const sbctl = changed((path) => {
    for (const name of ["PK", "KEK", "db"]) {
      mkdirSync(`${path}/${name}`);
      for (const end of ["key", "pem"]) renameSync(`${path}/${name}.${end}`, `${path}/${name}/${name}.${end}`);
      rmSync(`${path}/${name}.der`);
    }
    renameSync(`${path}/GUID.txt`, `${path}/GUID`);
  });
  for (const path of [bootc, sbctl]) {
    assert.deepEqual(loadCertificates(path), loadCertificates(pristine));
    assert.ok(listKeys(path).every(({ keyMatches }) => keyMatches === true));
  }
});

test("loadCertificates() wants the owner's GUID", () => {
  const noGuid = changed((path) => rmSync(`${path}/GUID.txt`));
  assert.throws(() => loadCertificates(noGuid), failsWith("not-found", /GUID\.txt is missing/));
  const badGuid = changed((path) => writeFileSync(`${path}/GUID.txt`, "me\n"));
  assert.throws(() => loadCertificates(badGuid), failsWith("usage", /Cannot read GUID: "me"/));
});

test("loadEnrolment() gives the files as they are, and makes those that are absent", async () => {
  const files = await loadEnrolment(pristine, LATER);
  for (const name of ["PK", "KEK", "db"] as const)
    assert.ok(readFileSync(`${pristine}/${name}.auth`).equals(files[name]));
  const noAuth = changed((path) => rmSync(`${path}/db.auth`));
  const made = await loadEnrolment(noAuth, NOW);
  assert.ok(Buffer.from(files.db).equals(made.db), "same keys, same time, same bytes");
  assert.deepEqual(parseAuthenticatedVariable((await loadEnrolment(noAuth, LATER)).db).timestamp, LATER);
  const noKek = changed((path) => removeFiles(path, "KEK.key", "db.auth"));
  await assert.rejects(loadEnrolment(noKek, NOW), failsWith("not-found", /KEK\.key is missing/));
});

test("loadEnrolment() refuses files that would enrol something else", async () => {
  const foreign = directory.file("foreign");
  await generateKeys(foreign, { now: NOW });
  const foreignFile = changed((path) => cpSync(`${foreign}/db.auth`, `${path}/db.auth`));
  await assert.rejects(
    loadEnrolment(foreignFile, NOW),
    failsWith("untrusted", /^Cannot use enrolment file .*db\.auth: .*"CN=sealroot KEK" is neither trusted/),
  );
  const newDb = changed((path) => {
    for (const end of ["key", "pem", "der"]) cpSync(`${foreign}/db.${end}`, `${path}/db.${end}`);
  });
  await assert.rejects(loadEnrolment(newDb, NOW), failsWith("conflict", /db\.auth: it does not enrol .*db\.pem/));
  const swapped = changed((path) => cpSync(`${path}/KEK.auth`, `${path}/PK.auth`));
  await assert.rejects(loadEnrolment(swapped, NOW), failsWith("corrupt", /^Cannot use enrolment file .*PK\.auth: /));
  const cut = changed((path) => writeFileSync(`${path}/KEK.auth`, readFileSync(`${path}/KEK.auth`).subarray(0, 100)));
  await assert.rejects(loadEnrolment(cut, NOW), failsWith("corrupt", /^Cannot use enrolment file .*KEK\.auth: /));
});

test("a command signs what a key file would, byte for byte", async () => {
  const image = systemdFile("systemd-bootx64.efi");
  const inside = loadSigner(pristine);
  const outside = commandSigner(`openssl dgst -sha256 -sign '${pristine}/db.key'`, inside.certificateDer);
  const signed = await signPe(image, outside);
  assert.deepEqual(signed, await signPe(image, inside));
  await verifyPe(signed, [inside.certificateDer]);
});

test("a signing command that fails, answers nothing or answers wrongly is an error", async () => {
  const { certificateDer: certificate } = loadSigner(pristine);
  const image = systemdFile("systemd-bootx64.efi");
  const cases: readonly [command: string, code: string, message: RegExp][] = [
    ["echo 'no token' >&2; exit 3", "failed", /exit code 3: no token/],
    ["true", "failed", /it answered nothing/],
    ["cat", "conflict", /is not a signature by the certificate/],
    [`openssl dgst -sha256 -sign '${pristine}/PK.key'`, "conflict", /answer of 256 bytes is not a signature/],
    ["cat /dev/zero", "failed", /output is larger than the limit/],
  ];
  for (const [command, code, message] of cases) {
    await assert.rejects(signPe(image, commandSigner(command, certificate)), failsWith(code, message), command);
  }
});

test("keys made by openssl work as a key directory", async () => {
  const path = directory.file("openssl");
  mkdirSync(path);
  const made = new TestDirectory();
  try {
    for (const name of ["PK", "KEK", "db"]) {
      const key = opensslKey(made, name);
      cpSync(key.keyPath, `${path}/${name}.key`);
      cpSync(key.certificatePath, `${path}/${name}.crt`);
      run("openssl", ["x509", "-in", `${path}/${name}.crt`, "-outform", "DER", "-out", `${path}/${name}.cer`]);
      chmodSync(`${path}/${name}.key`, 0o400);
    }
    writeFileSync(`${path}/GUID.txt`, "A1B2C3D4-0000-1111-2222-333344445555");
    const db = { keyPath: `${path}/db.key`, certificatePath: `${path}/db.crt` };
    assert.deepEqual(Buffer.from(loadSigner(path).certificateDer), Buffer.from(certificateDer(db)));
    assert.equal(loadCertificates(path).ownerGuid, "a1b2c3d4-0000-1111-2222-333344445555");
    assert.equal(Object.keys(await loadEnrolment(path, NOW)).length, 3);
  } finally {
    made[Symbol.dispose]();
  }
});
