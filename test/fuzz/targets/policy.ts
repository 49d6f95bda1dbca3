/** Documents that decide about trust: policy.json, payloads of signatures, bundles. */
import assert from "node:assert/strict";
import { readBundle, signedDigests } from "../../../src/policy/bundle.ts";
import { readPayload } from "../../../src/policy/payload.ts";
import { parsePolicy } from "../../../src/policy/policy-file.ts";
import { type JsonValue, parseStrictJson } from "../../../src/policy/strict-json.ts";
import { savedCorpus } from "../corpus.ts";
import { type FuzzTarget, refusalOfSync } from "../target.ts";

const DIGEST = `sha256:${"5".repeat(64)}`;
const KEY = Buffer.from("a key").toString("base64");

/** As JSON.parse gives it; only objects are maps with us. */
function plain(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)]));
  return value;
}

/** What is accepted means the same to a reader that is not strict. */
function assertSameReading(input: Uint8Array): void {
  assert.deepEqual(plain(parseStrictJson(input, "it")), JSON.parse(Buffer.from(input).toString("utf8")));
}

const policyTarget: FuzzTarget = {
  name: "policy",
  corpus: () => [
    ...[
      { default: [{ type: "insecureAcceptAnything" }], transports: { "docker-daemon": { "": [{ type: "reject" }] } } },
      { default: [{ type: "sigstoreSigned", keyDatas: [KEY], signedIdentity: { type: "matchRepository" } }] },
      { default: [{ type: "signedBy", keyType: "GPGKeys", keyPaths: ["/a", "/b"] }, { type: "reject" }] },
      { default: [{ type: "sigstoreBundle", trustedRootPath: "/r", oidcIssuer: "https://i", subject: "a@b" }] },
    ].map((policy) => Buffer.from(JSON.stringify(policy))),
    ...savedCorpus("policy"),
  ],
  run(input) {
    const parsed = refusalOfSync(() => parsePolicy(input, "policy.json"));
    if ("refusal" in parsed) return false;
    assert.ok(parsed.value.default.length > 0);
    for (const scopes of parsed.value.transports.values())
      for (const list of scopes.values()) assert.ok(list.length > 0);
    assertSameReading(input);
    return true;
  },
};

const payloadTarget: FuzzTarget = {
  name: "signature-payload",
  corpus: () => [
    ...[null, { creator: "x", timestamp: 1700000000 }].map((optional) => {
      const critical = {
        identity: { "docker-reference": "registry.example.com/t/sig:v" },
        image: { "docker-manifest-digest": DIGEST },
        type: "cosign container image signature",
      };
      return Buffer.from(JSON.stringify({ critical, optional }));
    }),
    ...savedCorpus("signature-payload"),
  ],
  run(input) {
    const read = refusalOfSync(() => readPayload(input, "cosign container image signature"));
    if ("refusal" in read) return false;
    assertSameReading(input);
    const { critical } = JSON.parse(Buffer.from(input).toString("utf8"));
    assert.deepEqual(Object.keys(critical).sort(), ["identity", "image", "type"]);
    assert.equal(critical.image["docker-manifest-digest"], read.value.manifestDigest);
    assert.equal(critical.identity["docker-reference"], read.value.dockerReference);
    return true;
  },
};

const bundleTarget: FuzzTarget = {
  name: "sigstore-bundle",
  corpus: () => {
    const statement = {
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ digest: { sha256: "5".repeat(64) }, annotations: {} }],
      predicateType: "https://sigstore.dev/cosign/sign/v1",
      predicate: {},
    };
    const payload = Buffer.from(JSON.stringify(statement)).toString("base64");
    const envelope = { payload, payloadType: "application/vnd.in-toto+json", signatures: [{ sig: KEY }] };
    const message = { messageDigest: { algorithm: "SHA2_256", digest: KEY }, signature: KEY };
    const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
    return [
      { mediaType, verificationMaterial: { publicKey: { hint: "x" } }, dsseEnvelope: envelope },
      { mediaType, verificationMaterial: { certificate: { rawBytes: KEY } }, messageSignature: message },
    ]
      .map((bundle): Uint8Array => Buffer.from(JSON.stringify(bundle)))
      .concat(savedCorpus("sigstore-bundle"));
  },
  run(input) {
    const read = refusalOfSync(() => {
      const { content } = readBundle(input);
      return content.kind === "dsse" ? signedDigests(content.payloadType, content.payload) : [];
    });
    if ("refusal" in read) return false;
    assertSameReading(input);
    return true;
  },
};

export const policyTargets: readonly FuzzTarget[] = [policyTarget, payloadTarget, bundleTarget];
