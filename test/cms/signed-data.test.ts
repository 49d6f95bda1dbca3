import assert from "node:assert/strict";
import { createHash, createPrivateKey, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { fromHex, toHex } from "../../src/bytes/index.ts";
import {
  type DigestName,
  readAuthenticode,
  type Signer,
  signAuthenticode,
  signDetached,
  signerOfPrivateKey,
  verifyAuthenticode,
  verifyDetached,
} from "../../src/cms/index.ts";
import { opensslKey, run, TestDirectory } from "../pe/boot-files.ts";
import { certificateDer, failsWith, signerOf } from "../pe/keys.ts";

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const db = opensslKey(directory, "db");
const other = opensslKey(directory, "other");
const signer = signerOf(db);
const trusted = [certificateDer(db)];
const IMAGE = Buffer.from("an image");
const CONTENT = Buffer.from("a variable's new content");
const digestOf = (algorithm: DigestName) => createHash(algorithm).update(IMAGE).digest();

/** ContentInfo around a bare SignedData, as openssl wants it. */
function wrapped(signedData: Uint8Array): Buffer {
  const explicit = sequence(0xa0, signedData);
  return sequence(0x30, Buffer.concat([fromHex("06092a864886f70d010702"), explicit]));
}

function sequence(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag, 0x82, content.length >> 8, content.length & 0xff]), content]);
}

test("signAuthenticode() writes the SpcIndirectDataContent that sbsign writes", async () => {
  const digest = digestOf("sha256");
  const message = await signAuthenticode(digest, signer);
  // Taken from an image signed by sbsign 0.9.4; the image's digest follows.
  const sbsign =
    "30683033060a2b06010401823702010f3025030100a020a21e801c" +
    "003c003c003c004f00620073006f006c006500740065003e003e003e" +
    "3031300d060960864801650304020105000420";
  assert.ok(toHex(message).includes(sbsign + toHex(digest)));
  assert.deepEqual(await signAuthenticode(digest, signer), message);
});

test("readAuthenticode() and verifyAuthenticode() read back what was signed", async () => {
  const message = await signAuthenticode(digestOf("sha256"), signer);
  const claim = await readAuthenticode(message);
  assert.equal(claim.digestAlgorithm, "sha256");
  assert.deepEqual(Buffer.from(claim.imageDigest), digestOf("sha256"));
  assert.deepEqual(claim.certificates.map(toHex), [toHex(certificateDer(db))]);
  const verified = await verifyAuthenticode(message, digestOf, trusted);
  assert.equal(verified.signer.subject, "CN=db");
  assert.equal(verified.trustedPath.length, 1);
});

test("verifyAuthenticode() tells a wrong image from an unknown signer", async () => {
  const message = await signAuthenticode(digestOf("sha256"), signer);
  const wrongDigest = () => createHash("sha256").update("another image").digest();
  await assert.rejects(
    verifyAuthenticode(message, wrongDigest, trusted),
    failsWith("corrupt", /not the one that was signed/),
  );
  await assert.rejects(
    verifyAuthenticode(message, digestOf, [certificateDer(other)]),
    failsWith("untrusted", /certificate "CN=db" is neither trusted nor issued by a trusted one/),
  );
});

test("a signature by an impostor with the trusted certificate's name is refused", async () => {
  const impostorDirectory = new TestDirectory();
  try {
    const impostor = opensslKey(impostorDirectory, "db");
    const message = await signAuthenticode(digestOf("sha256"), signerOf(impostor));
    await assert.rejects(
      verifyAuthenticode(message, digestOf, trusted),
      failsWith("untrusted", /neither trusted nor issued/),
    );
  } finally {
    impostorDirectory[Symbol.dispose]();
  }
});

test("openssl cms accepts the detached signature, and ours refuses changed content", async () => {
  const signedData = await signDetached(CONTENT, signer);
  const messagePath = directory.file("detached.der");
  const contentPath = directory.file("content");
  writeFileSync(messagePath, wrapped(signedData));
  writeFileSync(contentPath, CONTENT);
  const verify = ["cms", "-verify", "-binary", "-inform", "DER", "-in", messagePath, "-content", contentPath];
  run("openssl", [...verify, "-CAfile", db.certificatePath, "-purpose", "any", "-out", "/dev/null"]);
  await verifyDetached(signedData, CONTENT, trusted);
  await verifyDetached(wrapped(signedData), CONTENT, trusted);
  await assert.rejects(
    verifyDetached(signedData, Buffer.from("other content"), trusted),
    failsWith("corrupt", /the signature does not match the key of "CN=db"/),
  );
});

test("verifyDetached() accepts what openssl signs, with signed attributes and other digests", async () => {
  const contentPath = directory.file("content");
  writeFileSync(contentPath, CONTENT);
  const base = ["cms", "-sign", "-binary", "-in", contentPath, "-signer", db.certificatePath, "-inkey", db.keyPath];
  for (const options of [
    ["-md", "sha256"],
    ["-md", "sha384"],
    ["-md", "sha512", "-noattr"],
  ]) {
    const message = run("openssl", [...base, ...options, "-outform", "DER"]);
    const verified = await verifyDetached(message, CONTENT, trusted);
    assert.equal(verified.digestAlgorithm, options[1]);
    await assert.rejects(verifyDetached(message, IMAGE, trusted), failsWith("corrupt", /does not match/));
  }
});

test("verifyDetached() refuses SHA-1, content of its own, a missing certificate and two signers", async () => {
  const contentPath = directory.file("content");
  writeFileSync(contentPath, CONTENT);
  const base = ["cms", "-sign", "-binary", "-in", contentPath, "-signer", db.certificatePath, "-inkey", db.keyPath];
  const signed = (...options: string[]) => run("openssl", [...base, ...options, "-outform", "DER"]);
  const cases: readonly [name: string, message: Buffer, code: string, pattern: RegExp][] = [
    ["SHA-1", signed("-md", "sha1"), "unsupported", /signature algorithm .* with digest 1\.3\.14\.3\.2\.26/],
    ["content inside", signed("-nodetach"), "corrupt", /carries content of type 1\.2\.840\.113549\.1\.7\.1 of its own/],
    ["no certificate", signed("-nocerts"), "corrupt", /does not contain its signer's certificate/],
    ["key identifier", signed("-keyid"), "unsupported", /version 3 with signer version 3, 1 wanted/],
    [
      "two signers",
      signed("-signer", other.certificatePath, "-inkey", other.keyPath),
      "corrupt",
      /2 signers, exactly one/,
    ],
    [
      "RSA-PSS",
      signed("-keyopt", "rsa_padding_mode:pss"),
      "unsupported",
      /signature algorithm 1\.2\.840\.113549\.1\.1\.10/,
    ],
  ];
  for (const [name, message, code, pattern] of cases) {
    await assert.rejects(verifyDetached(message, CONTENT, trusted), failsWith(code, pattern), name);
  }
});

test("a certificate issued by a trusted authority is trusted, through an intermediate in the message", async () => {
  const root = opensslKey(directory, "root", { isAuthority: true });
  const intermediate = opensslKey(directory, "intermediate", { issuer: root, isAuthority: true });
  const leaf = opensslKey(directory, "leaf", { issuer: intermediate });
  const direct = await signDetached(CONTENT, signerOf(leaf));
  const verified = await verifyDetached(direct, CONTENT, [certificateDer(intermediate)]);
  assert.deepEqual(
    verified.trustedPath.map(({ subject }) => subject),
    ["CN=leaf", "CN=intermediate"],
  );
  await assert.rejects(verifyDetached(direct, CONTENT, [certificateDer(root)]), failsWith("untrusted", /CN=leaf/));
  const contentPath = directory.file("content");
  writeFileSync(contentPath, CONTENT);
  const chained = run("openssl", [
    ...["cms", "-sign", "-binary", "-in", contentPath, "-signer", leaf.certificatePath, "-inkey", leaf.keyPath],
    ...["-certfile", intermediate.certificatePath, "-md", "sha256", "-outform", "DER"],
  ]);
  const path = (await verifyDetached(chained, CONTENT, [certificateDer(root)])).trustedPath;
  assert.deepEqual(
    path.map(({ subject }) => subject),
    ["CN=leaf", "CN=intermediate", "CN=root"],
  );
});

test("a certificate that is not an authority does not vouch for another", async () => {
  const noAuthority = opensslKey(directory, "no-authority");
  const leaf = opensslKey(directory, "leaf-of-none", { issuer: noAuthority });
  const message = await signDetached(CONTENT, signerOf(leaf));
  await assert.rejects(
    verifyDetached(message, CONTENT, [certificateDer(noAuthority)]),
    failsWith("untrusted", /neither trusted nor issued/),
  );
});

test("an expired certificate is trusted, as firmware has no clock to trust", async () => {
  const [notBefore, notAfter] = ["20200101000000Z", "20210101000000Z"];
  const keyPath = directory.file("expired.key");
  const certificatePath = directory.file("expired.pem");
  const configuration = directory.file("ca.cnf");
  writeFileSync(directory.file("index.txt"), "");
  writeFileSync(
    configuration,
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${directory.file("index.txt")}\nnew_certs_dir=${directory.path}\n` +
      "default_md=sha256\nrand_serial=yes\npolicy=p\n[p]\ncommonName=supplied\n",
  );
  const requestPath = directory.file("expired.csr");
  run("openssl", [
    "req",
    "-new",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-subj",
    "/CN=expired",
    "-keyout",
    keyPath,
    "-out",
    requestPath,
  ]);
  run("openssl", [
    ...["ca", "-batch", "-selfsign", "-config", configuration, "-keyfile", keyPath, "-in", requestPath],
    ...["-out", certificatePath, "-startdate", notBefore, "-enddate", notAfter, "-notext"],
  ]);
  const expired = { keyPath, certificatePath };
  const verified = await verifyDetached(await signDetached(CONTENT, signerOf(expired)), CONTENT, [
    certificateDer(expired),
  ]);
  assert.equal(verified.signer.validTo, "2021-01-01T00:00:00.000Z");
});

test("an outside signer's answer is checked before it is used", async () => {
  const certificate = certificateDer(db);
  const answers: readonly [name: string, answer: (bytes: Uint8Array) => Uint8Array][] = [
    ["text", () => Buffer.from("signature")],
    ["nothing", () => new Uint8Array(0)],
    ["another key's signature", (bytes) => sign("sha256", bytes, createPrivateKey(readFileSync(other.keyPath)))],
    ["another digest", (bytes) => sign("sha512", bytes, createPrivateKey(readFileSync(db.keyPath)))],
  ];
  for (const [name, answer] of answers) {
    const liar: Signer = { certificateDer: certificate, sign: async (bytes) => answer(bytes) };
    await assert.rejects(
      signAuthenticode(digestOf("sha256"), liar),
      failsWith(
        "conflict",
        /^Cannot sign: the signer's answer of \d+ bytes is not a signature by the certificate "CN=db"$/,
      ),
      name,
    );
  }
});

test("keys that firmware cannot verify with, or that do not match, are refused", () => {
  const small = opensslKey(directory, "small", { key: "rsa:1024" });
  const elliptic = opensslKey(directory, "elliptic", { key: "ec" });
  assert.throws(
    () => signerOf(small),
    failsWith("unsupported", /its key is rsa 1024, Secure Boot needs RSA 2048 to 4096/),
  );
  assert.throws(
    () => signerOf(elliptic),
    failsWith("unsupported", /its key is ec, Secure Boot needs RSA 2048 to 4096/),
  );
  const key = createPrivateKey(readFileSync(other.keyPath));
  assert.throws(
    () => signerOfPrivateKey(key, certificateDer(db)),
    failsWith("conflict", /private key does not belong to the certificate "CN=db"/),
  );
});

test("signAuthenticode() signs SHA-256 digests only", async () => {
  await assert.rejects(signAuthenticode(new Uint8Array(20), signer), failsWith("usage", /image digest of 20 bytes/));
});

test("messages of another kind are refused", async () => {
  const detached = await signDetached(CONTENT, signer);
  await assert.rejects(readAuthenticode(detached), failsWith("corrupt", /SpcIndirectDataContent wanted/));
  const data = fromHex("301506092a864886f70d010701a0080406636f6e74656e");
  await assert.rejects(readAuthenticode(data), failsWith("corrupt", /^Cannot parse Authenticode signature: /));
  await assert.rejects(
    readAuthenticode(certificateDer(db)),
    failsWith("corrupt", /^Cannot parse Authenticode signature: /),
  );
  await assert.rejects(
    readAuthenticode(Buffer.alloc(2 << 20)),
    failsWith("unsupported", /2097152 bytes, at most 1048576/),
  );
});
