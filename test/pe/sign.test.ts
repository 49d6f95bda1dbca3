import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { readAuthenticode } from "../../src/cms/index.ts";
import {
  attachSignature,
  authenticodeDigest,
  buildUki,
  detachSignatures,
  parsePe,
  readSignatures,
  signPe,
  verifyPe,
} from "../../src/pe/index.ts";
import { opensslKey, run, sbverifyAccepts, systemdFile, TestDirectory } from "./boot-files.ts";
import { certificateDer, failsWith, signerOf } from "./keys.ts";
import { syntheticKernel, syntheticPe } from "./synthetic-pe.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const db = opensslKey(directory, "db");
const other = opensslKey(directory, "other");
const signer = signerOf(db);
const trusted = [certificateDer(db)];

const UKI = buildUki({
  stub: systemdFile("linuxx64.efi.stub"),
  osRelease: Buffer.from("ID=test\n"),
  commandLine: "composefs=00ff rw",
  kernelRelease: "6.12.107-test",
  kernel: syntheticKernel(),
  initramfs: Buffer.alloc(1001, 0x70),
});
const IMAGES: readonly (readonly [string, Uint8Array])[] = [
  ["systemd-boot", systemdFile("systemd-bootx64.efi")],
  ["UKI", UKI],
];

function writeImage(name: string, image: Uint8Array): string {
  const path = directory.file(name);
  writeFileSync(path, image);
  return path;
}

test("signPe() is accepted by sbverify and by verifyPe(), and gives the same bytes every time", async () => {
  for (const [name, image] of IMAGES) {
    const signed = await signPe(image, signer);
    assert.deepEqual(await signPe(image, signer), signed, name);
    assert.ok(sbverifyAccepts(writeImage("ours.efi", signed), db.certificatePath), name);
    const verified = await verifyPe(signed, trusted);
    assert.equal(verified.signer.subject, "CN=db");
    assert.equal(verified.digestAlgorithm, "sha256");
    assert.equal(verified.signatureIndex, 0);
    assert.deepEqual(verified.imageDigest, authenticodeDigest(parsePe(image)));
  }
});

test("authenticodeDigest() equals the digest sbsign signs, and verifyPe() accepts sbsign's image", async () => {
  for (const [name, image] of IMAGES) {
    const input = writeImage("unsigned.efi", image);
    const output = directory.file("sbsign.efi");
    run("sbsign", ["--key", db.keyPath, "--cert", db.certificatePath, "--output", output, input]);
    const theirs = readFileSync(output);
    const [signature] = readSignatures(parsePe(theirs));
    assert.ok(signature);
    const claim = await readAuthenticode(signature);
    assert.deepEqual(Buffer.from(claim.imageDigest), Buffer.from(authenticodeDigest(parsePe(image))), name);
    await verifyPe(theirs, trusted, name);
  }
});

test("a byte flipped in any section or header is refused by verifyPe() and by sbverify", async () => {
  const signed = await signPe(UKI, signer);
  const image = parsePe(signed);
  const inSections = image.sections.map(({ name, rawOffset, rawSizeBytes }) => [name, rawOffset + (rawSizeBytes >> 1)]);
  const places = [...inSections, ["time stamp", 0x88], ["section name", image.sectionTableOffset + 1]] as const;
  for (const [name, offset] of places as readonly (readonly [string, number])[]) {
    const bad = Buffer.from(signed);
    bad.writeUInt8(bad.readUInt8(offset) ^ 1, offset);
    await assert.rejects(verifyPe(bad, trusted), failsWith("corrupt", /digest is not the one that was signed/), name);
    assert.equal(sbverifyAccepts(writeImage("bad.efi", bad), db.certificatePath), false, name);
  }
});

test("CheckSum is outside the signature, as sbsign writes it after signing", async () => {
  const signed = Buffer.from(await signPe(UKI, signer));
  const image = parsePe(signed);
  signed.writeUInt32LE(0x12345678, image.optionalHeaderOffset + 64);
  await verifyPe(signed, trusted);
});

test("verifyPe() does not trust another key, an unsigned image or an empty database", async () => {
  const signed = await signPe(UKI, signer);
  await assert.rejects(verifyPe(signed, [certificateDer(other)]), failsWith("untrusted", /"CN=db" is neither trusted/));
  assert.equal(sbverifyAccepts(writeImage("ours.efi", signed), other.certificatePath), false);
  await assert.rejects(verifyPe(signed, []), failsWith("untrusted", /neither trusted nor issued/));
  await assert.rejects(
    verifyPe(UKI, trusted, "uki.efi"),
    failsWith("untrusted", /^Cannot verify uki\.efi: it is not signed$/),
  );
});

test("verifyPe() accepts a second signature when the first is not trusted", async () => {
  const both = await signPe(await signPe(UKI, signerOf(other)), signer);
  assert.equal(readSignatures(parsePe(both)).length, 2);
  const verified = await verifyPe(both, trusted);
  assert.equal(verified.signatureIndex, 1);
  assert.ok(sbverifyAccepts(writeImage("both.efi", both), db.certificatePath));
  assert.ok(sbverifyAccepts(writeImage("both.efi", both), other.certificatePath));
});

test("a signature made elsewhere can be taken off and put on again", async () => {
  const signed = await signPe(UKI, signer);
  const [signature] = readSignatures(parsePe(signed));
  assert.ok(signature);
  const unsigned = detachSignatures(signed);
  assert.deepEqual(readSignatures(parsePe(unsigned)), []);
  assert.deepEqual(authenticodeDigest(parsePe(unsigned)), authenticodeDigest(parsePe(UKI)));
  assert.deepEqual(attachSignature(unsigned, signature), signed);
  assert.deepEqual(attachSignature(UKI, signature), signed);
  assert.deepEqual(detachSignatures(UKI), UKI);
});

test("a signature does not fit another image", async () => {
  const [signature] = readSignatures(parsePe(await signPe(UKI, signer)));
  assert.ok(signature);
  const swapped = attachSignature(systemdFile("systemd-bootx64.efi"), signature);
  await assert.rejects(verifyPe(swapped, trusted), failsWith("corrupt", /digest is not the one that was signed/));
});

test("an image with bytes between its sections is not signed: tools and firmware would hash it differently", async () => {
  const gap = syntheticPe([
    { name: ".text", content: Buffer.alloc(512, 1) },
    { name: ".data", content: Buffer.alloc(512, 2) },
  ]);
  const wide = Buffer.concat([gap.subarray(0, 1536), Buffer.alloc(512), gap.subarray(1536)]);
  wide.writeUInt32LE(2048, 64 + 24 + 240 + 40 + 20);
  await assert.rejects(
    signPe(wide, signer),
    failsWith("unsupported", /512 bytes before section \.data belong to no section/),
  );
});

test("readSignatures() refuses a certificate table that does not add up", async () => {
  const signed = Buffer.from(await signPe(UKI, signer));
  const { unsignedEnd } = parsePe(signed);
  const cases: readonly [name: string, change: (bytes: Buffer) => void, message: RegExp][] = [
    ["length past the end", (b) => b.writeUInt32LE(0xfffffff0, unsignedEnd), /certificate table/],
    ["length of the header alone", (b) => b.writeUInt32LE(8, unsignedEnd), /DER element cut short/],
    ["length below the header", (b) => b.writeUInt32LE(4, unsignedEnd), /certificate table/],
    ["revision 1", (b) => b.writeUInt16LE(0x0100, unsignedEnd + 4), /revision 0x100 and type 2/],
    ["X.509 type", (b) => b.writeUInt16LE(1, unsignedEnd + 6), /type 1/],
    [
      "text instead of DER",
      (b) => b.write("-----BEGIN", unsignedEnd + 8, "latin1"),
      /Authenticode signature|not padding/,
    ],
  ];
  for (const [name, change, message] of cases) {
    const bad = Buffer.from(signed);
    change(bad);
    assert.throws(() => readSignatures(parsePe(bad)), failsWith("corrupt", message), name);
  }
});

test("bytes hidden after a signature inside its table entry are refused", async () => {
  const signed = Buffer.from(await signPe(UKI, signer));
  const image = parsePe(signed);
  const hidden = Buffer.concat([signed, Buffer.from("hidden!!")]);
  hidden.writeUInt32LE(hidden.length - image.unsignedEnd, image.unsignedEnd);
  hidden.writeUInt32LE(hidden.length - image.unsignedEnd, image.certificateDirectoryOffset + 4);
  assert.throws(() => readSignatures(parsePe(hidden)), failsWith("corrupt", /bytes that are not padding follow/));
});
