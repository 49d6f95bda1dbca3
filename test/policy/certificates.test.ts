import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { digestOf } from "../../src/oci/index.ts";
import { assertAccepted } from "../../src/policy/evaluate.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import {
  derOf,
  type Issued,
  issueAuthority,
  issueLeaf,
  type LeafOptions,
  privateKeyOf,
  SIGNING_TIME,
  TestLog,
  unknownCritical,
} from "./authority.ts";
import {
  bundleOf,
  newKeys,
  openFixture,
  payloadOf,
  policyOf,
  signedWith,
  statementOf,
  subjectOf,
  TestStore,
  writePublicKey,
} from "./fixture.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let root: Issued;
let intermediate: Issued;
const log = new TestLog();
before(async () => {
  scratch = await scratchDirectory();
  await openFixture(scratch.path);
  root = await issueAuthority("root");
  intermediate = await issueAuthority("intermediate", root);
});
after(() => scratch.remove());

const MANIFEST = Buffer.from('{"schemaVersion":2}');
const DIGEST = digestOf(MANIFEST);
const NAME = "reg.example.com/app:v1";
const PAYLOAD = payloadOf(DIGEST, NAME);
const EMAIL = "signer@example.com";
const ISSUER = "https://accounts.example.com";
const SIGNATURE = "dev.cosignproject.cosign/signature";

async function verdict(store: TestStore, requirement: object, now = SIGNING_TIME): Promise<string> {
  const subject = subjectOf(`docker://${NAME}`, { manifest: { digest: DIGEST, bytes: MANIFEST }, store });
  try {
    await assertAccepted(policyOf(requirement), subject, now);
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof SealrootError);
    return `${error.code}: ${error.message.replace(/^.* in policy\.json: /, "")}`;
  }
}

function storeWith(annotations: Record<string, string>): TestStore {
  const store = new TestStore();
  store.putSignatures(DIGEST, [{ payload: PAYLOAD, annotations }]);
  return store;
}

function base64(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString("base64");
}

test("Rekor: with a log's key, its promise must be there, be signed, and be about this very signature", async () => {
  const keys = newKeys();
  const requirement = {
    type: "sigstoreSigned",
    keyPath: writePublicKey(scratch.path, "signer.pub", keys.publicKey),
    rekorPublicKeyPath: writePublicKey(scratch.path, "rekor.pub", log.keys.publicKey),
  };
  const signed = signedWith(keys.privateKey, PAYLOAD);
  const pem = keys.publicKey.export({ format: "pem", type: "spki" }).toString();
  const withBundle = (bundle: string) => storeWith({ ...signed, "dev.sigstore.cosign/bundle": bundle });
  const good = log.rekorBundle(PAYLOAD, signed[SIGNATURE] ?? "", pem);
  assert.equal(await verdict(withBundle(good), requirement), "accepted");
  const { rekorPublicKeyPath: _, ...withoutLog } = requirement;
  assert.equal(await verdict(storeWith(signed), withoutLog), "accepted");
  assert.equal(await verdict(storeWith(signed), requirement), "untrusted: the signature has no Rekor SET");
  const otherKey = newKeys().publicKey.export({ format: "pem", type: "spki" }).toString();
  const cases: [string, RegExp][] = [
    [new TestLog().rekorBundle(PAYLOAD, signed[SIGNATURE] ?? "", pem), /signature verification of Rekor SET failed$/],
    [good.replace(/"integratedTime":\d+/, '"integratedTime":1'), /signature verification of Rekor SET failed$/],
    [log.rekorBundle(PAYLOAD, signed[SIGNATURE] ?? "", otherKey), /publicKey in Rekor SET does not match$/],
    [log.rekorBundle(PAYLOAD, base64("other"), pem), /signature in Rekor SET does not match$/],
    [log.rekorBundle(MANIFEST, signed[SIGNATURE] ?? "", pem), /payload in Rekor SET does not match$/],
    [good.replace("{", '{"more":1,'), /more is not known here/],
    ["{", /Cannot read Rekor SET: it is not JSON/],
  ];
  for (const [bundle, expected] of cases) assert.match(await verdict(withBundle(bundle), requirement), expected);
});

/** An image signed with a leaf of the tests' authority, as cosign does it with Fulcio. */
async function fulcioStore(options: LeafOptions, time = SIGNING_TIME, issuer = intermediate): Promise<TestStore> {
  const leaf = await issueLeaf(issuer, options);
  const signed = signedWith(privateKeyOf(leaf), PAYLOAD);
  const certificate = leaf.certificate.toString("pem");
  return storeWith({
    ...signed,
    "dev.sigstore.cosign/certificate": certificate,
    "dev.sigstore.cosign/chain": `${intermediate.certificate.toString("pem")}\n${root.certificate.toString("pem")}`,
    "dev.sigstore.cosign/bundle": log.rekorBundle(PAYLOAD, signed[SIGNATURE] ?? "", certificate, time),
  });
}

async function rootFile(): Promise<string> {
  const path = join(scratch.path, "root.pem");
  await writeFile(path, root.certificate.toString("pem"));
  return path;
}

test("Fulcio: the certificate must lead to the authority when the log took it, and name issuer and account", async () => {
  const requirement = {
    type: "sigstoreSigned",
    fulcio: { caPath: await rootFile(), oidcIssuer: ISSUER, subjectEmail: EMAIL },
    rekorPublicKeyPath: writePublicKey(scratch.path, "rekor.pub", log.keys.publicKey),
  };
  const account = { email: EMAIL, oidcIssuer: ISSUER };
  const judge = async (...options: Parameters<typeof fulcioStore>) =>
    verdict(await fulcioStore(...options), requirement);
  assert.equal(await judge(account), "accepted");
  assert.equal(await judge({ ...account, modernIssuer: true }), "accepted");
  assert.match(await judge({ ...account, email: "other@example.com" }), /Required email signer@example\.com not found/);
  assert.match(await judge({ ...account, oidcIssuer: `${ISSUER}.evil` }), /Unexpected Fulcio OIDC issuer/);
  assert.match(await judge({ email: EMAIL }), /Unexpected Fulcio OIDC issuer ""$/);
  assert.match(await judge({ ...account, usages: ["1.3.6.1.5.5.7.3.1"] }), /not for code signing$/);
  const later = new Date(SIGNING_TIME.getTime() + 3_600_000);
  assert.match(await judge(account, later), /does not lead to a trusted authority at 2026-03-01T13/);
  assert.match(await judge(account, SIGNING_TIME, await issueAuthority("root")), /does not lead to a trusted/);
  const critical = { ...account, extensions: [unknownCritical()] };
  assert.match(await judge(critical), /does not lead to a trusted/);
  const leafAsAuthority = await issueLeaf(intermediate, account);
  assert.match(await judge(account, SIGNING_TIME, leafAsAuthority), /does not lead to a trusted/);
});

test("certificates: an authority that may have none below it does not vouch for one", async () => {
  const narrow = await issueAuthority("narrow", undefined, 0);
  const below = await issueAuthority("below", narrow);
  const path = join(scratch.path, "narrow.pem");
  await writeFile(path, narrow.certificate.toString("pem"));
  const judge = async (issuer: Issued) => {
    const leaf = await issueLeaf(issuer, { email: EMAIL });
    const store = storeWith({
      ...signedWith(privateKeyOf(leaf), PAYLOAD),
      "dev.sigstore.cosign/certificate": leaf.certificate.toString("pem"),
      "dev.sigstore.cosign/chain": below.certificate.toString("pem"),
    });
    return verdict(store, { type: "sigstoreSigned", pki: { caRootsPath: path, subjectEmail: EMAIL } });
  };
  assert.equal(await judge(narrow), "accepted");
  assert.match(await judge(below), /does not lead to a trusted authority/);
});

test("one's own authority: the certificate must be valid now and name the signer", async () => {
  const base = { caRootsPath: await rootFile() };
  const store = await fulcioStore({ email: EMAIL, hostname: "build.example.com" });
  const judge = (pki: object, now?: Date) => verdict(store, { type: "sigstoreSigned", pki: { ...base, ...pki } }, now);
  assert.equal(await judge({ subjectEmail: EMAIL }), "accepted");
  assert.equal(await judge({ subjectEmail: EMAIL, subjectHostname: "build.example.com" }), "accepted");
  assert.match(await judge({ subjectEmail: EMAIL, subjectHostname: "x.example.com" }), /Unexpected subject hostname/);
  assert.match(await judge({ subjectEmail: "x@example.com" }), /Required email/);
  assert.match(await judge({ subjectEmail: EMAIL }, new Date("2030-01-01")), /does not lead to a trusted authority/);
  const other = {
    caRootsData: base64((await issueAuthority("root")).certificate.toString("pem")),
    subjectEmail: EMAIL,
  };
  assert.match(await verdict(store, { type: "sigstoreSigned", pki: other }), /does not lead to a trusted authority/);
});

/** A trusted root with the tests' authority and log. */
function trustedRoot(change: object = {}): string {
  const validFor = { start: "2020-01-01T00:00:00Z" };
  return JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [
      {
        baseUrl: "https://rekor.example.com",
        hashAlgorithm: "SHA2_256",
        publicKey: { rawBytes: base64(log.spki), keyDetails: "PKIX_ECDSA_P256_SHA_256", validFor },
        logId: { keyId: base64(log.id) },
      },
    ],
    certificateAuthorities: [
      {
        subject: { organization: "example", commonName: "root" },
        uri: "https://fulcio.example.com",
        certChain: { certificates: [{ rawBytes: base64(derOf(intermediate)) }, { rawBytes: base64(derOf(root)) }] },
        validFor,
      },
    ],
    ctlogs: [],
    timestampAuthorities: [],
    ...change,
  });
}

/** The same signature as a bundle of version 0.3, which needs a proof of inclusion. */
function asVersion03(bundle: Awaited<ReturnType<typeof certificateBundle>>) {
  const { x509CertificateChain, tlogEntries } = bundle.verificationMaterial;
  const entries = tlogEntries.map((entry: { readonly canonicalizedBody: string }) => {
    return { ...entry, inclusionProof: log.inclusionProof(Buffer.from(entry.canonicalizedBody, "base64")) };
  });
  return {
    ...bundle,
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { certificate: x509CertificateChain.certificates[0], tlogEntries: entries },
  };
}

/** A bundle of version 0.1, signed with a certificate and entered in the log. */
async function certificateBundle(options: LeafOptions, statement = statementOf(DIGEST), time = SIGNING_TIME) {
  const leaf = await issueLeaf(intermediate, options);
  const bundle = JSON.parse(bundleOf(privateKeyOf(leaf), statement, {}).toString());
  const { payload, signatures } = bundle.dsseEnvelope;
  const body = {
    apiVersion: "0.0.1",
    kind: "dsse",
    spec: {
      payloadHash: { algorithm: "sha256", value: digestOf(Buffer.from(payload, "base64")).slice("sha256:".length) },
      signatures: [{ signature: signatures[0].sig, verifier: base64(leaf.certificate.toString("pem")) }],
    },
  };
  const entry = Buffer.from(JSON.stringify(body));
  const seconds = time.getTime() / 1000;
  const { timestamp } = log.promise(entry, seconds);
  return {
    ...bundle,
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes: base64(derOf(leaf)) }] },
      tlogEntries: [
        {
          logIndex: "1",
          logId: { keyId: base64(log.id) },
          kindVersion: { kind: "dsse", version: "0.0.1" },
          integratedTime: String(seconds),
          inclusionPromise: { signedEntryTimestamp: timestamp },
          canonicalizedBody: base64(entry),
        },
      ],
    },
  };
}

test("bundles with certificates: verified against a trusted root, offline", async () => {
  const subject = "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main";
  const signer = { uri: subject, oidcIssuer: ISSUER, modernIssuer: true };
  const path = join(scratch.path, "trusted_root.json");
  await writeFile(path, trustedRoot());
  const requirement = { type: "sigstoreBundle", trustedRootPath: path, oidcIssuer: ISSUER, subject };
  const judge = (bundle: object, asked: object = requirement) => {
    const store = new TestStore();
    store.putBundle(DIGEST, Buffer.from(JSON.stringify(bundle)));
    return verdict(store, asked);
  };
  const good = await certificateBundle(signer);
  assert.equal(await judge(good), "accepted");
  const modern = asVersion03(good);
  assert.equal(await judge(modern), "accepted");
  const [entry] = modern.verificationMaterial.tlogEntries;
  assert.ok(entry);
  const otherProof = { ...entry, inclusionProof: log.inclusionProof(Buffer.from("other")) };
  const { inclusionProof: _, ...noProof } = entry;
  for (const changed of [otherProof, noProof]) {
    const material = { ...modern.verificationMaterial, tlogEntries: [changed] };
    assert.match(
      await judge({ ...modern, verificationMaterial: material }),
      /^untrusted: the bundle is not accepted: /,
    );
  }
  const byEmail = { ...requirement, subject: EMAIL };
  assert.equal(await judge(await certificateBundle({ email: EMAIL, oidcIssuer: ISSUER }), byEmail), "accepted");
  // The names are no patterns.
  assert.match(await judge(good, { ...requirement, subject: "https://github.com/.*" }), /Unexpected subject "https:/);
  assert.match(await judge(good, { ...requirement, oidcIssuer: "https://accounts" }), /Unexpected OIDC issuer/);
  assert.match(await judge(await certificateBundle({ ...signer, usages: ["1.3.6.1.5.5.7.3.1"] })), /code signing$/);
  const other = statementOf(digestOf(Buffer.from("other")));
  assert.match(await judge(await certificateBundle(signer, other)), /^untrusted: the bundle is for sha256:/);
  const late = new Date(SIGNING_TIME.getTime() + 3_600_000);
  assert.match(await judge(await certificateBundle(signer, undefined, late)), /^untrusted: the bundle is not accepted/);
  const noEntry = { ...good.verificationMaterial, tlogEntries: [] };
  assert.match(await judge({ ...good, verificationMaterial: noEntry }), /^untrusted: the bundle is not accepted: /);
  const swapped = {
    ...good.dsseEnvelope,
    payload: base64(JSON.stringify(statementOf(DIGEST)).replace("{}", '{"x":1}')),
  };
  assert.match(await judge({ ...good, dsseEnvelope: swapped }), /^untrusted: the bundle is not accepted/);
  const key = newKeys();
  assert.match(
    await judge(JSON.parse(bundleOf(key.privateKey, statementOf(DIGEST), { publicKey: { hint: "" } }).toString())),
    /signed with a key, not with a certificate$/,
  );
});

test("trusted roots: one that is damaged or cannot tell the time is an error, and one with certificate logs needs an SCT", async () => {
  const signer = { email: EMAIL, oidcIssuer: ISSUER };
  const bundle = Buffer.from(JSON.stringify(await certificateBundle(signer)));
  const store = new TestStore();
  store.putBundle(DIGEST, bundle);
  const judge = (root_: string) => {
    const requirement = { type: "sigstoreBundle", trustedRootData: base64(root_), oidcIssuer: ISSUER, subject: EMAIL };
    return verdict(store, requirement);
  };
  assert.equal(await judge(trustedRoot()), "accepted");
  assert.match(await judge(trustedRoot({ tlogs: [] })), /^corrupt: .*neither logs nor timestamp authorities$/);
  assert.match(await judge("{"), /^corrupt: Cannot read trusted root of the policy: it is not JSON/);
  const { tlogs } = JSON.parse(trustedRoot());
  assert.match(await judge(trustedRoot({ ctlogs: tlogs })), /^untrusted: .*expected 1 SCTs, got 0$/);
  const other = derOf(await issueAuthority("root"));
  const authority = JSON.parse(trustedRoot()).certificateAuthorities[0];
  const foreign = { ...authority, certChain: { certificates: [{ rawBytes: base64(other) }] } };
  assert.match(
    await judge(trustedRoot({ certificateAuthorities: [foreign] })),
    /^untrusted: the bundle is not accepted/,
  );
});
