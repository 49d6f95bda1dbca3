import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { SealrootError } from "../../src/errors/index.ts";
import { digestOf } from "../../src/oci/index.ts";
import { readSignatureBlobs } from "../../src/oci/signature-store.ts";
import { assertAccepted } from "../../src/policy/evaluate.ts";
import type { PolicySubject } from "../../src/policy/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import {
  bundleOf,
  type Fixture,
  newKeys,
  openFixture,
  payloadOf,
  policyOf,
  SIGNED_IMAGE,
  SIGNED_REPOSITORY,
  sha256,
  signedWith,
  statementOf,
  storeWithSignature,
  subjectOf,
  TestStore,
  writePublicKey,
} from "./fixture.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let fixture: Fixture;
const keys = newKeys();
let keyPath: string;
before(async () => {
  scratch = await scratchDirectory();
  fixture = await openFixture(scratch.path);
  keyPath = writePublicKey(scratch.path, "own.pub", keys.publicKey);
});
after(() => scratch.remove());

const TAGGED = `docker://${SIGNED_REPOSITORY}:v`;
const ACCEPT = { type: "insecureAcceptAnything" };
const NO_SIGNATURE = "A signature was required, but no signature exists";

/** `accepted`, or the code and the reason at the end of the message. */
async function verdict(subject: PolicySubject, ...requirements: readonly object[]): Promise<string> {
  try {
    await assertAccepted(policyOf(...requirements), subject);
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof SealrootError);
    const [, reason = error.message] = / in policy\.json: (.*)$/.exec(error.message) ?? [];
    return `${error.code}: ${reason}`;
  }
}

function sigstoreSigned(path: string, signedIdentity?: object) {
  return { type: "sigstoreSigned", keyPath: path, ...(signedIdentity && { signedIdentity }) };
}

/** An image of these bytes in the repository of the tests. */
function subjectIn(store: TestStore | undefined, reference = "docker://reg.example.com/app:v1", bytes = MANIFEST) {
  return subjectOf(reference, { manifest: { digest: digestOf(bytes), bytes }, store });
}

const MANIFEST = Buffer.from('{"schemaVersion":2}');
const DIGEST = digestOf(MANIFEST);

test("the vector: each signature under each identity, as the reference judges them", async () => {
  const other = `docker://registry.example.com/t/other:v`;
  const cases: [string, object | undefined, string][] = [
    [TAGGED, undefined, "accepted"],
    [TAGGED, { type: "matchExact" }, "accepted"],
    [TAGGED, { type: "matchRepository" }, "accepted"],
    [`docker://${SIGNED_REPOSITORY}:w`, undefined, "untrusted"],
    [`docker://${SIGNED_REPOSITORY}:w`, { type: "matchRepository" }, "accepted"],
    [`docker://${SIGNED_REPOSITORY}@${SIGNED_IMAGE}`, undefined, "accepted"],
    [`docker://${SIGNED_REPOSITORY}@${SIGNED_IMAGE}`, { type: "matchExact" }, "untrusted"],
    [other, { type: "matchRepository" }, "untrusted"],
    [other, { type: "exactRepository", dockerRepository: SIGNED_REPOSITORY }, "accepted"],
    [
      other,
      { type: "remapIdentity", prefix: "registry.example.com/t/other", signedPrefix: SIGNED_REPOSITORY },
      "accepted",
    ],
    [`oci:${fixture.directory}:v`, undefined, "untrusted"],
    [`oci:${fixture.directory}:v`, { type: "exactRepository", dockerRepository: SIGNED_REPOSITORY }, "accepted"],
    [`oci:${fixture.directory}:v`, { type: "exactReference", dockerReference: `${SIGNED_REPOSITORY}:v` }, "accepted"],
    [`oci:${fixture.directory}:v`, { type: "exactReference", dockerReference: `${SIGNED_REPOSITORY}:w` }, "untrusted"],
  ];
  for (const [reference, identity, expected] of cases) {
    const actual = await verdict(subjectOf(reference, fixture), sigstoreSigned(fixture.key, identity));
    assert.equal(actual.split(":")[0], expected, JSON.stringify([reference, identity, actual]));
  }
});

test("the vector: under the default identity only the tagged signature counts; another key accepts neither", async () => {
  const untagged = await verdict(subjectOf(`docker://${SIGNED_REPOSITORY}:w`, fixture), sigstoreSigned(fixture.key));
  const refused = ["", ":v"].map((tag) => `Signature for identity "${SIGNED_REPOSITORY}${tag}" is not accepted`);
  assert.equal(untagged, `untrusted: None of the signatures were accepted, reasons: ${refused.join("; ")}`);
  const wrong = "cryptographic signature verification failed";
  const verdictOfOther = await verdict(subjectOf(TAGGED, fixture), sigstoreSigned(fixture.otherKey));
  assert.equal(verdictOfOther, `untrusted: None of the signatures were accepted, reasons: ${wrong}; ${wrong}`);
  const both = { type: "sigstoreSigned", keyPaths: [fixture.otherKey, fixture.key] };
  assert.equal(await verdict(subjectOf(TAGGED, fixture), both), "accepted");
});

test("the vector: its bundle is accepted with its key alone", async () => {
  const subject = subjectOf(TAGGED, fixture);
  assert.equal(await verdict(subject, { type: "sigstoreBundle", keyPath: fixture.key }), "accepted");
  const refused = "untrusted: cryptographic signature verification failed";
  assert.equal(await verdict(subject, { type: "sigstoreBundle", keyPath: fixture.otherKey }), refused);
});

test("the error names image, requirement, scope, policy and reason", async () => {
  const subject = subjectIn(new TestStore());
  await assert.rejects(assertAccepted(policyOf(ACCEPT, sigstoreSigned(keyPath)), subject), {
    code: "untrusted",
    message:
      "Cannot accept image docker://reg.example.com/app:v1: requirement 2 (sigstoreSigned) of the default in policy.json: " +
      NO_SIGNATURE,
    data: {
      path: "docker://reg.example.com/app:v1",
      actual: DIGEST,
      hint: "cosign 3 writes such a signature with --new-bundle-format=false; its bundles meet sigstoreBundle",
    },
  });
});

test("every requirement of the list must be met", async () => {
  const signed = subjectIn(storeWithSignature(keys.privateKey, DIGEST, "reg.example.com/app:v1"));
  const [good, other] = [sigstoreSigned(keyPath), sigstoreSigned(fixture.otherKey)];
  assert.equal(await verdict(signed, ACCEPT), "accepted");
  assert.equal(await verdict(signed, good), "accepted");
  assert.equal(await verdict(signed, good, good, ACCEPT), "accepted");
  assert.equal(await verdict(signed, ACCEPT, other), "untrusted: cryptographic signature verification failed");
  assert.equal(await verdict(signed, good, other), "untrusted: cryptographic signature verification failed");
  assert.equal(await verdict(signed, ACCEPT, { type: "reject" }), "untrusted: Running image is rejected by policy");
  assert.equal(await verdict(subjectIn(undefined), ACCEPT, good), `untrusted: ${NO_SIGNATURE}`);
  const base = { type: "signedBaseLayer", baseLayerIdentity: { type: "matchExact" } };
  assert.equal(await verdict(signed, base), "untrusted: signedBaseLayer is never met");
});

test("keys: ECDSA, RSA and Ed25519 sign; what else a key file may hold fails", async () => {
  const pairs = [
    generateKeyPairSync("ec", { namedCurve: "P-384" }),
    generateKeyPairSync("ed25519"),
    generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ];
  for (const [index, { privateKey, publicKey }] of pairs.entries()) {
    const subject = subjectIn(storeWithSignature(privateKey, DIGEST, "reg.example.com/app:v1"));
    const path = writePublicKey(scratch.path, `kind-${index}.pub`, publicKey);
    assert.equal(await verdict(subject, sigstoreSigned(path)), "accepted");
  }
  const subject = subjectIn(storeWithSignature(keys.privateKey, DIGEST, "reg.example.com/app:v1"));
  const short = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const contents: [string, string][] = [
    ["nothing", "corrupt"],
    [`${keys.privateKey.export({ format: "pem", type: "pkcs8" })}`, "corrupt"],
    [`${keys.publicKey.export({ format: "pem", type: "spki" })}`.repeat(2), "corrupt"],
    ["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "corrupt"],
    [`${short.publicKey.export({ format: "pem", type: "spki" })}`, "unsupported"],
    [`${generateKeyPairSync("x25519").publicKey.export({ format: "pem", type: "spki" })}`, "unsupported"],
  ];
  for (const [index, [content, code]] of contents.entries()) {
    const path = join(scratch.path, `bad-${index}.pub`);
    await writeFile(path, content);
    const bad = { type: "sigstoreSigned", keyPaths: [keyPath, path] };
    assert.equal((await verdict(subject, bad)).split(":")[0], code, content);
  }
  const missing = { type: "sigstoreSigned", keyPaths: [keyPath, join(scratch.path, "absent.pub")] };
  assert.equal((await verdict(subject, missing)).split(":")[0], "not-found");
});

test("a signature that openssl makes is accepted", async () => {
  const [key, path] = [join(scratch.path, "openssl.key"), join(scratch.path, "openssl.pub")];
  execFileSync("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key]);
  execFileSync("openssl", ["ec", "-in", key, "-pubout", "-out", path], { stdio: "ignore" });
  const payload = payloadOf(DIGEST, "reg.example.com/app:v1");
  const signature = execFileSync("openssl", ["dgst", "-sha256", "-sign", key], { input: payload }).toString("base64");
  const store = new TestStore();
  store.putSignatures(DIGEST, [{ payload, annotations: { "dev.cosignproject.cosign/signature": signature } }]);
  assert.equal(await verdict(subjectIn(store), sigstoreSigned(path)), "accepted");
  assert.match(await verdict(subjectIn(store), sigstoreSigned(keyPath)), /^untrusted: cryptographic/);
});

test("payloads: signed ones that are not exactly the format are refused", async () => {
  const good = payloadOf(DIGEST, "reg.example.com/app:v1").toString();
  const changes: [string, (text: string) => string][] = [
    ["accepted", (text) => text],
    ["accepted", (text) => text.replace("null", '{"creator":"x","timestamp":1700000000,"other":{"a":[1]}}')],
    ["untrusted", (text) => text.replace("null", '{"creator":1}')],
    ["untrusted", (text) => text.replace("null", '{"timestamp":1.5}')],
    ["untrusted", (text) => text.replace("null", '{"timestamp":"1"}')],
    ["untrusted", (text) => text.replace("null", "1")],
    ["untrusted", (text) => text.replace(',"optional":null', "")],
    ["untrusted", (text) => text.replace('"optional":null', '"optional":null,"more":1')],
    ["untrusted", (text) => text.replace('"identity":{', '"identity":{"a":1,')],
    ["untrusted", (text) => text.replace('"critical":{', '"critical":{"a":1,')],
    ["untrusted", (text) => text.replace('"type"', '"Type"')],
    ["untrusted", (text) => text.replace("cosign container image signature", "atomic container signature")],
    ["untrusted", (text) => text.replace('"image":{', `"image":{"docker-manifest-digest":"sha256:${"0".repeat(64)}",`)],
    ["untrusted", (text) => text.replace("sha256:", "sha256-")],
    ["untrusted", (text) => `${text} {}`],
    ["untrusted", (text) => text.replace("reg.example.com/app:v1", "")],
  ];
  for (const [expected, change] of changes) {
    const payload = Buffer.from(change(good));
    const store = new TestStore();
    store.putSignatures(DIGEST, [{ payload, annotations: signedWith(keys.privateKey, payload) }]);
    const actual = await verdict(subjectIn(store), sigstoreSigned(keyPath));
    assert.equal(actual.split(":")[0], expected, `${payload}: ${actual}`);
  }
});

test("payloads: no changed byte of payload or signature is accepted", async () => {
  const payload = payloadOf(DIGEST, "reg.example.com/app:v1");
  const { "dev.cosignproject.cosign/signature": signature = "" } = signedWith(keys.privateKey, payload);
  const raw = Buffer.from(signature, "base64");
  const flip = (bytes: Buffer, at: number, bit: number) =>
    Buffer.from(bytes.map((byte, index) => (index === at % bytes.length ? byte ^ (1 << bit) : byte)));
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.nat(400), fc.nat(7), async (inPayload, at, bit) => {
      const store = new TestStore();
      const changed = inPayload ? flip(payload, at, bit) : payload;
      const other = inPayload ? raw : flip(raw, at, bit);
      const annotations = { "dev.cosignproject.cosign/signature": other.toString("base64") };
      store.putSignatures(DIGEST, [{ payload: changed, annotations }]);
      assert.match(await verdict(subjectIn(store), sigstoreSigned(keyPath)), /^untrusted: /);
    }),
    { numRuns: 60 },
  );
});

test("signatures: for another image, with a damaged annotation, of another kind", async () => {
  const elsewhere = storeWithSignature(keys.privateKey, DIGEST, "reg.example.com/app:v1");
  const [payload] = [payloadOf(SIGNED_IMAGE, "reg.example.com/app:v1")];
  elsewhere.putSignatures(DIGEST, [{ payload, annotations: signedWith(keys.privateKey, payload) }]);
  const mismatch = `untrusted: Signature for digest ${SIGNED_IMAGE} does not match ${DIGEST}`;
  assert.equal(await verdict(subjectIn(elsewhere), sigstoreSigned(keyPath)), mismatch);
  const broken = new TestStore();
  broken.putSignatures(DIGEST, [{ payload, annotations: { "dev.cosignproject.cosign/signature": "%" } }]);
  assert.equal(await verdict(subjectIn(broken), sigstoreSigned(keyPath)), "untrusted: the signature is not base64");
  const attachments = new TestStore();
  attachments.putSignatures(DIGEST, []);
  assert.equal(await verdict(subjectIn(attachments), sigstoreSigned(keyPath)), `untrusted: ${NO_SIGNATURE}`);
  const docker = new TestStore();
  docker.putTag(`${DIGEST.replace(":", "-")}.sig`, "application/vnd.docker.distribution.manifest.v2+json", {});
  assert.match(await verdict(subjectIn(docker), sigstoreSigned(keyPath)), /^unsupported: .* media type "application/);
});

test("a registry that fails is not an image without signatures", async () => {
  const failing = new TestStore();
  failing.fetchTagged = async () => {
    throw new SealrootError("no-access", "Cannot read tag: 403");
  };
  failing.listReferrers = async () => {
    throw new SealrootError("timeout", "Cannot read referrers: too late");
  };
  assert.equal(await verdict(subjectIn(failing), sigstoreSigned(keyPath)), "no-access: Cannot read tag: 403");
  const bundle = { type: "sigstoreBundle", keyPath };
  assert.equal(await verdict(subjectIn(failing), bundle), "timeout: Cannot read referrers: too late");
});

test("indexes: a signature on the index counts for an instance that the index holds", async () => {
  const bytes = Buffer.from(JSON.stringify({ manifests: [{ digest: DIGEST }] }));
  const index = { digest: digestOf(bytes), bytes };
  const store = storeWithSignature(keys.privateKey, index.digest, "reg.example.com/app:v1");
  store.putBundle(index.digest, bundleOf(keys.privateKey, statementOf(index.digest), { publicKey: { hint: "" } }));
  const manifest = { digest: DIGEST, bytes: MANIFEST };
  for (const requirement of [sigstoreSigned(keyPath), { type: "sigstoreBundle", keyPath }]) {
    const found = subjectOf("docker://reg.example.com/app:v1", { manifest, store }, [index]);
    assert.equal(await verdict(found, requirement), "accepted");
    assert.equal(await verdict(subjectIn(store), requirement), `untrusted: ${NO_SIGNATURE}`);
  }
});

test("bundles: only cosign's statement about this image, in an envelope with one good signature", async () => {
  const requirement = { type: "sigstoreBundle", keyPath };
  const hint = sha256(keys.publicKey.export({ format: "der", type: "spki" })).toString("base64");
  const judge = (bundle: Uint8Array, subject = DIGEST) => {
    const store = new TestStore();
    store.putBundle(DIGEST, bundle, subject);
    return verdict(subjectIn(store), requirement);
  };
  const make = (statement: object, key: KeyObject = keys.privateKey) =>
    bundleOf(key, statement, { publicKey: { hint } });
  const good = statementOf(DIGEST);
  const accepted = make(good);
  assert.equal(await judge(accepted), "accepted");
  const { hint: _, ...noHint } = { hint, publicKey: {} };
  assert.equal(await judge(bundleOf(keys.privateKey, good, noHint)), "accepted");
  assert.equal(await judge(accepted, SIGNED_IMAGE), `untrusted: ${NO_SIGNATURE}`);
  assert.match(await judge(make(statementOf(SIGNED_IMAGE))), /^untrusted: the bundle is for sha256:54305d/);
  assert.match(
    await judge(make({ ...good, predicateType: "https://spdx.dev/Document" })),
    /^untrusted: .*no signature$/,
  );
  assert.match(await judge(make({ ...good, _type: "x" })), /^untrusted: the bundle holds a statement of type x$/);
  assert.match(await judge(make({ ...good, subject: [] })), /^untrusted: .*subject is an empty list$/);
  assert.match(await judge(make(good, newKeys().privateKey)), /^untrusted: cryptographic/);
  const text = accepted.toString();
  const changes: ((text: string) => string)[] = [
    (bundle) => bundle.replace("bundle.v0.3+json", "bundle.v0.4+json"),
    (bundle) => bundle.replace('"signatures":[', '"signatures":[{"sig":"AAAA"},'),
    (bundle) => bundle.replace('"payloadType":"application/vnd.in-toto', '"payloadType":"application/vnd.other'),
    (bundle) => bundle.replace('"publicKey":{', '"publicKey":{},"certificate":{'),
    (bundle) => bundle.replace('"dsseEnvelope"', '"dsseEnvelope":{},"dsseEnvelope"'),
    (bundle) => `${bundle}x`,
  ];
  for (const change of changes) assert.match(await judge(Buffer.from(change(text))), /^untrusted: /, change(text));
  const unknown = Buffer.from(text.replace('{"sig":', '{"x":1,"sig":'));
  assert.match(await judge(unknown), /: dsseEnvelope\.signatures\[0\]\.x is not known here; known are sig, keyid$/);
  const certificate = bundleOf(keys.privateKey, good, { certificate: { rawBytes: "AAAA" } });
  assert.match(await judge(certificate), /signed with a certificate, not with a key$/);
});

test("bundles: older spellings, and a signature over the manifest itself", async () => {
  const requirement = { type: "sigstoreBundle", keyPath };
  const judge = (bundle: object) => {
    const store = new TestStore();
    store.putBundle(DIGEST, Buffer.from(JSON.stringify(bundle)));
    return verdict(subjectIn(store), requirement);
  };
  const { "dev.cosignproject.cosign/signature": signature } = signedWith(keys.privateKey, MANIFEST);
  const digest = Buffer.from(DIGEST.slice("sha256:".length), "hex").toString("base64");
  for (const version of ["0.1", "0.2", "0.3"]) {
    const bundle = {
      mediaType: `application/vnd.dev.sigstore.bundle+json;version=${version}`,
      verificationMaterial: { publicKey: { hint: "" } },
      messageSignature: { messageDigest: { algorithm: "SHA2_256", digest }, signature },
    };
    assert.equal(await judge(bundle), "accepted");
    const other = { ...bundle.messageSignature.messageDigest, digest: Buffer.alloc(32).toString("base64") };
    assert.match(
      await judge({ ...bundle, messageSignature: { messageDigest: other, signature } }),
      /^untrusted: the bundle is for sha256:0000/,
    );
  }
});

test("more signatures than any image has are refused before one of them is read", async () => {
  const blob = (size: number) => ({ mediaType: "m", digest: DIGEST, size });
  const store = {
    ...fixture.store,
    blobs: { readWhole: () => Promise.reject(new Error("nothing is read")) },
  };
  for (const blobs of [Array(257).fill(blob(1)), Array(17).fill(blob(4 << 20))]) {
    assert.throws(() => readSignatureBlobs(store, blobs, "signatures"), {
      code: "unsupported",
      message: "Cannot read signatures: there are more than 256, or they have more than 67108864 bytes",
    });
  }
});
