/** Judges: sbverify (sbsigntool) and osslsigncode, which also make the signatures that firmware does not take. */
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import {
  encodeSignatureLists,
  guidOf,
  type SignatureEntry,
  secureBootVariable,
  signVariable,
} from "../../src/efi/index.ts";
import { databaseOfDirectory, databasesOf, generateKeys, verifyBootProgram } from "../../src/keys/index.ts";
import { attachSignature, authenticodeDigest, buildUki, parsePe, readSignatures, signPe } from "../../src/pe/index.ts";
import { opensslKey, run, sbverifyAccepts, TestDirectory, type TestKey } from "../pe/boot-files.ts";
import { certificateDer, failsWith, signerOf } from "../pe/keys.ts";
import { syntheticKernel, syntheticStub } from "../pe/synthetic-pe.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const db = opensslKey(directory, "db");
const other = opensslKey(directory, "other");
const OWNER = guidOf("11111111-2222-3333-4444-555555555555");

function ukiWith(commandLine: string): Uint8Array {
  return buildUki({
    stub: syntheticStub(),
    osRelease: Buffer.from("ID=test\n"),
    commandLine,
    kernelRelease: "6.12.107-test",
    kernel: syntheticKernel(),
  });
}
const UKI = ukiWith("composefs=00ff rw");
const SIGNED = await signPe(UKI, signerOf(db));

const x509 = (key: TestKey): SignatureEntry => ({ type: "x509", owner: OWNER, data: certificateDer(key) });
function databases(allowed: readonly SignatureEntry[], forbidden: readonly SignatureEntry[] = []) {
  return [{ name: "the keys in auto/", allowed, forbidden }];
}

function write(name: string, content: Uint8Array): string {
  const path = directory.file(name);
  writeFileSync(path, content);
  return path;
}

/** Signed by osslsigncode, which takes keys and hashes that sbsign does not. */
function osslsigncode(key: TestKey, hash: string): Uint8Array {
  const output = directory.file("osslsigncode.efi");
  const words = ["-certs", key.certificatePath, "-key", key.keyPath, "-in", write("unsigned.efi", UKI), "-out", output];
  run("rm", ["-f", output]);
  run("osslsigncode", ["sign", "-h", hash, ...words]);
  return readFileSync(output);
}

test("a program that a certificate of db vouches for is accepted, as sbverify accepts it", async () => {
  const sbsigned = directory.file("sbsign.efi");
  const unsigned = write("unsigned.efi", UKI);
  run("sbsign", ["--key", db.keyPath, "--cert", db.certificatePath, "--output", sbsigned, unsigned]);
  const bySha384 = osslsigncode(db, "sha384");
  for (const program of [SIGNED, readFileSync(sbsigned), osslsigncode(db, "sha256"), bySha384]) {
    await verifyBootProgram(program, "the UKI", databases([x509(other), x509(db)]));
    await verifyBootProgram(program, "the UKI", []);
    // sbverify knows image digests of SHA-256 only.
    if (program !== bySha384) assert.ok(sbverifyAccepts(write("judged.efi", program), db.certificatePath));
    run("osslsigncode", ["verify", "-CAfile", db.certificatePath, write("judged.efi", program)]);
  }
});

test("what sbverify refuses is refused: changed, taken from another file, by another key, not signed", async () => {
  const flipped = Buffer.from(SIGNED);
  flipped.writeUInt8(flipped.readUInt8(flipped.length - 100) ^ 1, flipped.length - 100);
  const content = Buffer.from(SIGNED);
  content.writeUInt8(content.readUInt8(1500) ^ 1, 1500);
  const [signature] = readSignatures(parsePe(await signPe(ukiWith("composefs=11 rw"), signerOf(db))));
  assert.ok(signature);
  const cases: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
    ["one bit of the signature", flipped, "corrupt", /the signature does not match the key of "CN=db"$/],
    ["one bit of the content", content, "corrupt", /its digest is not the one that was signed$/],
    [
      "another file's signature",
      attachSignature(UKI, signature),
      "corrupt",
      /its digest is not the one that was signed$/,
    ],
    [
      "another key",
      await signPe(UKI, signerOf(other)),
      "untrusted",
      /certificate "CN=other" is neither trusted nor issued/,
    ],
    ["not signed", UKI, "untrusted", /it is not signed$/],
  ];
  for (const [name, program, code, message] of cases) {
    const text = new RegExp(`^Cannot use the UKI: firmware with the keys in auto/ refuses it, as .*${message.source}`);
    await assert.rejects(verifyBootProgram(program, "the UKI", databases([x509(db)])), failsWith(code, text), name);
    assert.equal(sbverifyAccepts(write("judged.efi", program), db.certificatePath), false, name);
    // Without a database only the signer is not asked for.
    if (name === "another key") await verifyBootProgram(program, "the UKI", []);
    else await assert.rejects(verifyBootProgram(program, "the UKI", []), failsWith(code, message), name);
  }
});

test("keys and hashes that firmware does not take are refused by name, whether or not they are in db", async () => {
  const ec = opensslKey(directory, "ec", { key: "ec" });
  const short = opensslKey(directory, "short", { key: "rsa:1024" });
  const cases: readonly (readonly [TestKey, string, RegExp])[] = [
    [
      ec,
      "sha256",
      /^Cannot use the UKI: .*\(EC with SHA-256\) with digest 2\.16\.840\.1\.101\.3\.4\.2\.1$|ec, Secure Boot/,
    ],
    [short, "sha256", /certificate "CN=short": its key is rsa 1024, Secure Boot needs RSA 2048 to 4096$/],
    [db, "sha1", /with digest 1\.3\.14\.3\.2\.26 \(SHA-1\)$/],
  ];
  for (const [key, hash, message] of cases) {
    const program = osslsigncode(key, hash);
    await assert.rejects(verifyBootProgram(program, "the UKI", []), failsWith("unsupported", message));
    await assert.rejects(
      verifyBootProgram(program, "the UKI", databases([x509(key)])),
      failsWith("unsupported", message),
    );
  }
});

test("one good signature of several is enough", async () => {
  const both = await signPe(await signPe(UKI, signerOf(other)), signerOf(db));
  await verifyBootProgram(both, "the UKI", databases([x509(db)]));
  await verifyBootProgram(both, "the UKI", databases([x509(other)]));
  assert.ok(sbverifyAccepts(write("judged.efi", both), db.certificatePath));
});

test("an authority in db vouches for what it issued, unless it issued it with SHA-1 or has a short key", async () => {
  const authority = opensslKey(directory, "authority", { isAuthority: true });
  const issued = opensslKey(directory, "issued", { issuer: authority });
  await verifyBootProgram(await signPe(UKI, signerOf(issued)), "the UKI", databases([x509(authority)]));

  const weak: TestKey = { keyPath: directory.file("weak.key"), certificatePath: directory.file("weak.pem") };
  const request = ["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha1", "-days", "9", "-subj", "/CN=weak"];
  const issuer = ["-CA", authority.certificatePath, "-CAkey", authority.keyPath];
  run("openssl", [...request, ...issuer, "-keyout", weak.keyPath, "-out", weak.certificatePath]);
  const byWeak = await signPe(UKI, signerOf(weak));
  const issuedWithSha1 = /certificate "CN=weak": it was issued with 1\.2\.840\.113549\.1\.1\.5 \(RSA with SHA-1\)$/;
  await assert.rejects(
    verifyBootProgram(byWeak, "the UKI", databases([x509(authority)])),
    failsWith("unsupported", issuedWithSha1),
  );
  // Whoever puts the very certificate into db trusts its key, not its issuer.
  await verifyBootProgram(byWeak, "the UKI", databases([x509(weak)]));

  const short = opensslKey(directory, "short-authority", { isAuthority: true, key: "rsa:1024" });
  const byShort = await signPe(UKI, signerOf(opensslKey(directory, "of-short", { issuer: short })));
  await assert.rejects(
    verifyBootProgram(byShort, "the UKI", databases([x509(short)])),
    failsWith("unsupported", /its key is rsa 1024/),
  );
});

test("db can name a program by its digest, and a signature is not needed then", async () => {
  for (const algorithm of ["sha256", "sha384"] as const) {
    const entry = { type: algorithm, owner: OWNER, data: authenticodeDigest(parsePe(UKI), algorithm) };
    await verifyBootProgram(UKI, "the UKI", databases([entry]));
    await assert.rejects(
      verifyBootProgram(ukiWith("composefs=11 rw"), "the UKI", databases([entry])),
      failsWith("untrusted", /it is not signed$/),
    );
  }
});

test("dbx forbids by digest, certificate, issuer and signed part, whatever db says", async () => {
  const authority = opensslKey(directory, "forbidden-authority", { isAuthority: true });
  const issued = opensslKey(directory, "forbidden", { issuer: authority });
  const program = await signPe(await signPe(UKI, signerOf(issued)), signerOf(db));
  // The signed part as openssl gives it: the first element inside the certificate.
  const der = certificateDer(issued);
  const part = directory.file("signed-part");
  run("openssl", ["asn1parse", "-inform", "DER", "-strparse", "4", "-noout", "-out", part], der);
  const signedPart = createHash("sha256").update(readFileSync(part)).digest();
  const forbidden: readonly (readonly [SignatureEntry, RegExp])[] = [
    [{ type: "sha256", owner: OWNER, data: authenticodeDigest(parsePe(UKI)) }, /its digest is in dbx$/],
    [x509(issued), /its signer is in dbx, or was issued by one in dbx$/],
    [x509(authority), /its signer is in dbx, or was issued by one in dbx$/],
    [
      { type: "x509-sha256", owner: OWNER, data: Buffer.concat([signedPart, Buffer.alloc(16)]) },
      /its certificate is in dbx$/,
    ],
  ];
  const allowed = [x509(db), { type: "sha256", owner: OWNER, data: authenticodeDigest(parsePe(UKI)) } as const];
  await verifyBootProgram(program, "the UKI", databases(allowed, [x509(other)]));
  for (const [entry, message] of forbidden) {
    await assert.rejects(
      verifyBootProgram(program, "the UKI", databases(allowed, [entry])),
      failsWith("untrusted", message),
    );
  }
});

test("every one of several databases must let the program start", async () => {
  const both = [...databases([x509(db)]), { name: "the keys in spare/", allowed: [x509(other)], forbidden: [] }];
  await assert.rejects(
    verifyBootProgram(SIGNED, "the UKI", both),
    failsWith(
      "untrusted",
      /^Cannot use the UKI: firmware with the keys in spare\/ refuses it, as its certificate "CN=db"/,
    ),
  );
  await verifyBootProgram(await signPe(SIGNED, signerOf(other)), "the UKI", both);
});

test("databasesOf() reads db and dbx of each folder that enrols a db", async () => {
  const kek = signerOf(other);
  const when = new Date("2026-01-01T00:00:00Z");
  const dbAuth = await signVariable(secureBootVariable("db", [certificateDer(db)], OWNER, when), kek);
  const digest = { type: "sha256", owner: OWNER, data: Buffer.alloc(32, 7) } as const;
  const dbxVariable = {
    ...secureBootVariable("db", [], OWNER, when),
    name: "dbx",
    data: encodeSignatureLists([digest]),
  };
  const dbxAuth = Buffer.from(await signVariable(dbxVariable, kek));
  // An update that appends has no time: sign-efi-sig-list -a writes zeros.
  dbxAuth.fill(0, 0, 16);
  const found = databasesOf([
    { folder: "auto", name: "db.auth", bytes: dbAuth },
    { folder: "auto", name: "dbx.auth", bytes: dbxAuth },
    { folder: "half", name: "PK.auth", bytes: Buffer.from("not looked at") },
  ]);
  assert.equal(found.length, 1);
  assert.equal(found[0]?.name, "the keys in auto/");
  assert.deepEqual(
    found[0]?.allowed.map(({ type, data }) => [type, new X509Certificate(data).subject]),
    [["x509", "CN=db"]],
  );
  assert.deepEqual(
    found[0]?.forbidden.map(({ type, data }) => [type, data.length]),
    [["sha256", 32]],
  );
  assert.throws(
    () => databasesOf([{ folder: "auto", name: "db.auth", bytes: Buffer.from("db".repeat(50)) }]),
    failsWith("corrupt", /^Cannot use the enrolment file auto\/db\.auth: /),
  );
});

test("databaseOfDirectory() needs the certificate of db alone", async () => {
  const keys = directory.file("keys");
  await generateKeys(keys, { now: new Date("2026-01-01T00:00:00Z"), commonName: "dir" });
  const only = directory.file("only");
  run("mkdir", [only]);
  run("cp", [`${keys}/db.pem`, only]);
  const database = databaseOfDirectory(only);
  assert.deepEqual(
    database.allowed.map(({ data }) => new X509Certificate(data).subject),
    ["CN=dir db"],
  );
  assert.deepEqual(database.forbidden, []);
  assert.throws(
    () => databaseOfDirectory(directory.path.concat("/none")),
    failsWith("not-found", /db\.pem is missing$/),
  );
});
