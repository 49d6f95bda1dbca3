import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { signerOfPrivateKey } from "../../src/cms/index.ts";
import {
  parseAuthenticatedVariable,
  parseSignatureLists,
  secureBootVariable,
  verifyAuthenticatedVariable,
} from "../../src/efi/index.ts";
import { generateKeys, listKeys, loadCertificates, loadSigner } from "../../src/keys/index.ts";
import { makeSelfSignedKey, pemOf } from "../../src/keys/self-signed.ts";
import { signPe, verifyPe } from "../../src/pe/index.ts";
import { run, sbverifyAccepts, systemdFile, TestDirectory } from "../pe/boot-files.ts";
import { failsWith } from "../pe/keys.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const NOW = new Date("2026-11-23T08:09:10Z");
const keys = directory.file("keys");
const generated = await generateKeys(keys, { now: NOW, commonName: "Example, Inc.", days: 10 });
const file = (name: string) => readFileSync(`${keys}/${name}`);

test("generateKeys() makes keys, certificates, signature lists, enrolment files and a GUID", () => {
  const perName = ["PK", "KEK", "db"].flatMap((name) =>
    ["auth", "der", "esl", "key", "pem"].map((end) => `${name}.${end}`),
  );
  assert.deepEqual(readdirSync(keys).sort(), [...perName, "GUID.txt", "sbat.csv"].sort());
  assert.match(file("GUID.txt").toString(), /^[0-9a-f-]{36}\n$/);
  assert.equal(file("GUID.txt").toString().trim(), generated.ownerGuid);
  const [header, uki, own, ...rest] = file("sbat.csv").toString().split("\n");
  assert.match(`${header}|${uki}`, /^sbat,1,SBAT Version,.*\|uki,1,UKI,/);
  assert.match(own ?? "", new RegExp(`^uki\\.${generated.ownerGuid},1,the owner of the keys,uki,1,https://`));
  assert.deepEqual(rest, [""]);
});

test("private keys and their directory are for their owner alone", () => {
  assert.equal(statSync(keys).mode & 0o7777, 0o700);
  for (const name of readdirSync(keys)) {
    assert.equal(statSync(`${keys}/${name}`).mode & 0o7777, name.endsWith(".key") ? 0o600 : 0o644, name);
  }
});

test("certificates say what they are for and agree in PEM and DER", () => {
  for (const name of ["PK", "KEK", "db"]) {
    const certificate = new X509Certificate(file(`${name}.pem`));
    assert.ok(certificate.raw.equals(file(`${name}.der`)));
    assert.equal(certificate.subject, `CN=Example\\, Inc. ${name}`);
    assert.equal(certificate.validFromDate.toISOString(), "2026-11-23T08:09:10.000Z");
    assert.equal(certificate.validToDate.toISOString(), "2026-12-03T08:09:10.000Z");
    assert.equal(certificate.ca, false);
    assert.ok(certificate.verify(certificate.publicKey), "self-signed");
    const text = run("openssl", ["x509", "-in", `${keys}/${name}.pem`, "-noout", "-text"]).toString();
    assert.match(text, /Basic Constraints: critical\s+CA:FALSE/);
    assert.match(text, /Key Usage: critical\s+Digital Signature\n/);
  }
});

test("enrolment files are signed by PK, PK and KEK and carry the signature lists", async () => {
  const { certificates, ownerGuid } = loadCertificates(keys);
  assert.equal(ownerGuid, generated.ownerGuid);
  for (const [name, authority] of [
    ["PK", "PK"],
    ["KEK", "PK"],
    ["db", "KEK"],
  ] as const) {
    const target = secureBootVariable(name, certificates[name], ownerGuid, NOW);
    const verified = await verifyAuthenticatedVariable(file(`${name}.auth`), target, certificates[authority]);
    assert.deepEqual(verified.timestamp, NOW);
    assert.ok(file(`${name}.esl`).equals(parseAuthenticatedVariable(file(`${name}.auth`)).data));
    const [entry] = parseSignatureLists(file(`${name}.esl`));
    assert.equal(entry?.owner, ownerGuid);
    assert.ok(file(`${name}.der`).equals(entry?.data ?? Buffer.alloc(0)));
  }
});

test("an image signed with generated keys is accepted by sbverify, and sbsign can use the keys", async () => {
  const image = systemdFile("systemd-bootx64.efi");
  const signed = await signPe(image, loadSigner(keys));
  const path = directory.file("boot.efi");
  writeFileSync(path, signed);
  assert.ok(sbverifyAccepts(path, `${keys}/db.pem`));
  assert.equal(sbverifyAccepts(path, `${keys}/KEK.pem`), false);
  writeFileSync(path, image);
  run("sbsign", [
    "--key",
    `${keys}/db.key`,
    "--cert",
    `${keys}/db.pem`,
    "--output",
    directory.file("sbsign.efi"),
    path,
  ]);
  await verifyPe(readFileSync(directory.file("sbsign.efi")), loadCertificates(keys).certificates.db);
});

test("every key set is new", async () => {
  const again = await generateKeys(directory.file("again"), { now: NOW });
  assert.notEqual(again.ownerGuid, generated.ownerGuid);
  assert.notEqual(again.certificates.db.serialNumberHex, generated.certificates.db.serialNumberHex);
  assert.equal(again.certificates.db.subject, "CN=sealroot db");
  const fingerprints = Object.values(again.certificates).map(({ fingerprintSha256 }) => fingerprintSha256);
  assert.equal(new Set(fingerprints).size, 3);
});

test("the common name reaches the certificates as it was typed", async () => {
  const names = [
    'say "hello"',
    '"quoted"',
    "back\\slash",
    "#04024142",
    "#not hex",
    "a,b;c=d+e<f>g",
    "  blanks around  ",
    "CN=x, O=y",
    "1.2.3.4=z",
    "it's 100 %",
    "Gr\u00fc\u00dfe \u65e5\u672c\u8a9e \u{1f511}",
    "e\u0301",
    "\u{1f511}".repeat(60),
    "\\",
    " ",
  ];
  const assertNamed = (path: string, commonName: string) => {
    // Neither escapes nor quotes: what follows "CN=" is the value itself.
    for (const which of ["subject", "issuer"]) {
      const words = ["x509", "-in", path, "-noout", `-${which}`, "-nameopt", "utf8,sep_multiline,sname"];
      assert.equal(run("openssl", words).toString(), `${which}=\n    CN=${commonName}\n`);
    }
  };
  for (const commonName of names) {
    const validity = { notBefore: NOW, notAfter: new Date(NOW.getTime() + 86_400_000) };
    const { certificateDer } = await makeSelfSignedKey({ commonName, rsaBits: 1024, ...validity });
    const path = directory.file("named.pem");
    writeFileSync(path, pemOf("CERTIFICATE", certificateDer));
    assertNamed(path, commonName);
  }
  const path = directory.file("named");
  const commonName = ' #"a\\b", c+d; \u{1f511} ';
  await generateKeys(path, { now: NOW, commonName });
  for (const name of ["PK", "KEK", "db"]) assertNamed(`${path}/${name}.pem`, `${commonName} ${name}`);
});

test("the size of the keys can be chosen", async () => {
  const path = directory.file("larger");
  await generateKeys(path, { now: NOW, rsaBits: 3072 });
  assert.deepEqual(
    listKeys(path).map(({ rsaBits }) => rsaBits),
    [3072, 3072, 3072],
  );
});

test("generateKeys() fills an empty directory and never touches one that is not", async () => {
  const empty = directory.file("empty");
  mkdirSync(empty);
  await generateKeys(empty, { now: NOW });
  assert.equal(readdirSync(empty).length, 17);
  const before = readdirSync(keys).map((name) => [name, file(name).toString("hex")]);
  await assert.rejects(
    generateKeys(keys, { now: NOW }),
    failsWith("exists", /^Cannot generate keys in .*keys: it is not empty$/),
  );
  assert.deepEqual(
    readdirSync(keys).map((name) => [name, file(name).toString("hex")]),
    before,
  );
});

test("generateKeys() refuses impossible options and leaves nothing", async () => {
  const path = directory.file("none");
  const before = readdirSync(directory.path);
  const cases = [
    { commonName: "" },
    { commonName: "x".repeat(61) },
    { commonName: "bytes that are not UTF-8: \ufffd" },
    { commonName: "half a pair \ud83d" },
    { commonName: "two\nlines" },
    { days: 0 },
    { days: 1.5 },
    { days: 36_501 },
  ];
  for (const options of cases)
    await assert.rejects(generateKeys(path, { now: NOW, ...options }), failsWith("usage", /^Cannot /));
  writeFileSync(directory.file("a-file"), "");
  await assert.rejects(
    generateKeys(directory.file("a-file"), { now: NOW }),
    failsWith("not-found", /Cannot generate keys in/),
  );
  await assert.rejects(
    generateKeys(directory.file("no/such/parent"), { now: NOW }),
    failsWith("not-found", /Cannot generate/),
  );
  assert.deepEqual(readdirSync(directory.path).sort(), [...before, "a-file"].sort());
});

test("a signer made of mismatched files is refused before it signs", () => {
  const signer = loadSigner(keys);
  assert.ok(signer.certificateDer.length > 0);
  assert.throws(
    () => signerOfPrivateKey(privateKey("PK"), file("db.der")),
    failsWith("conflict", /private key does not belong to the certificate/),
  );
});

function privateKey(name: string) {
  return createPrivateKey(file(`${name}.key`));
}
