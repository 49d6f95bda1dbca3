import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { fromHex, toHex } from "../../src/bytes/index.ts";
import {
  guidOf,
  parseAuthenticatedVariable,
  parseSignatureLists,
  secureBootVariable,
  secureBootVariables,
  signVariable,
  verifyAuthenticatedVariable,
} from "../../src/efi/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { opensslKey, run, TestDirectory } from "../pe/boot-files.ts";
import { certificateDer, failsWith, signerOf } from "../pe/keys.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const key = opensslKey(directory, "KEK");
const other = opensslKey(directory, "other");
const trusted = [certificateDer(key)];
const OWNER = guidOf("77fa9abd-0359-4d32-bd60-28f4e78f784b");
const NOW = new Date("2026-11-23T08:09:10Z");
const db = secureBootVariable("db", [certificateDer(other)], OWNER, NOW);

test("the three variables have the vendors and attributes of UEFI, PK last", () => {
  const certificates = { PK: trusted, KEK: trusted, db: trusted };
  assert.deepEqual(
    secureBootVariables(certificates, OWNER, NOW).map(({ name, vendor, attributes }) => [name, vendor, attributes]),
    [
      ["db", "d719b2cb-3d3a-4596-a3bc-dad00e67656f", 0x27],
      ["KEK", "8be4df61-93ca-11d2-aa0d-00e098032b8c", 0x27],
      ["PK", "8be4df61-93ca-11d2-aa0d-00e098032b8c", 0x27],
    ],
  );
});

test("signVariable() writes time stamp, certificate header, bare SignedData, content", async () => {
  const file = await signVariable(db, signerOf(key));
  assert.deepEqual(await signVariable(db, signerOf(key)), file);
  const parsed = parseAuthenticatedVariable(file);
  const header = Buffer.alloc(8);
  header.writeUInt32LE(24 + parsed.signature.length, 0);
  header.writeUInt16LE(0x0200, 4);
  header.writeUInt16LE(0x0ef1, 6);
  const expected = Buffer.concat([
    fromHex("ea070b1708090a000000000000000000"),
    header,
    fromHex("9dd2af4adf68ee498aa9347d375665a7"),
    parsed.signature,
    db.data,
  ]);
  assert.equal(toHex(file), toHex(expected));
  // SEQUENCE { INTEGER 1, … }: no ContentInfo around it.
  assert.match(toHex(parsed.signature), /^3082....020101310f300d0609608648016503040201/);
  assert.deepEqual(parsed.timestamp, NOW);
  assert.deepEqual(Buffer.from(parseSignatureLists(parsed.data)[0]?.data ?? []), Buffer.from(certificateDer(other)));
});

test("openssl accepts the signature over name, vendor, attributes, time stamp and content", async () => {
  const { signature } = parseAuthenticatedVariable(await signVariable(db, signerOf(key)));
  const explicit = Buffer.concat([fromHex("a082"), length16(signature.length), signature]);
  const content = Buffer.concat([fromHex("06092a864886f70d010702"), explicit]);
  writeFileSync(directory.file("auth.der"), Buffer.concat([fromHex("3082"), length16(content.length), content]));
  const signed = Buffer.concat([
    Buffer.from("db", "utf16le"),
    fromHex("cbb219d73a3d9645a3bcdad00e67656f"),
    fromHex("27000000"),
    fromHex("ea070b1708090a000000000000000000"),
    db.data,
  ]);
  writeFileSync(directory.file("signed"), signed);
  run("openssl", [
    ...["cms", "-verify", "-binary", "-inform", "DER", "-in", directory.file("auth.der"), "-purpose", "any"],
    ...["-content", directory.file("signed"), "-CAfile", key.certificatePath, "-out", "/dev/null"],
  ]);
});

function length16(length: number): Buffer {
  return Buffer.from([length >> 8, length & 0xff]);
}

test("an update is good for its own variable only, and from its authority only", async () => {
  const file = await signVariable(db, signerOf(key));
  const verified = await verifyAuthenticatedVariable(file, db, trusted);
  assert.equal(verified.signer.subject, "CN=KEK");
  const forOther = [
    { ...db, name: "dbx" },
    { ...db, vendor: OWNER },
    { ...db, attributes: 0x67 },
  ];
  for (const target of forOther) {
    await assert.rejects(
      verifyAuthenticatedVariable(file, target, trusted),
      failsWith("corrupt", /does not match the key/),
    );
  }
  await assert.rejects(
    verifyAuthenticatedVariable(file, db, [certificateDer(other)]),
    failsWith("untrusted", /"CN=KEK" is neither trusted/),
  );
});

test("no byte of an update can be changed unnoticed", async () => {
  const file = await signVariable(db, signerOf(key));
  for (let offset = 0; offset < file.length; offset += 3) {
    const bad = Buffer.from(file);
    bad.writeUInt8(bad.readUInt8(offset) ^ 0x04, offset);
    await assert.rejects(
      verifyAuthenticatedVariable(bad, db, trusted),
      (error) => error instanceof SealrootError && error.code !== "failed",
      `offset ${offset}`,
    );
  }
});

test("an update cut anywhere is refused", async () => {
  const file = await signVariable(db, signerOf(key));
  for (let length = 0; length < file.length; length += length < 60 ? 1 : 37) {
    await assert.rejects(
      verifyAuthenticatedVariable(file.subarray(0, length), db, trusted),
      (error) => error instanceof SealrootError,
      `length ${length}`,
    );
  }
});
