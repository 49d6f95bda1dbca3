import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { SealrootError } from "../../src/errors/index.ts";
import { findPolicy, parsePolicy, policySearchPath } from "../../src/policy/policy-file.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

const ACCEPT = '{"type":"insecureAcceptAnything"}';
const KEY = Buffer.from("a key").toString("base64");

function parse(text: string) {
  return parsePolicy(Buffer.from(text), "p.json");
}

/** The message of the refusal, without its beginning. */
function refusalOf(text: string): string {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof SealrootError);
    assert.equal(error.code, "corrupt");
    assert.match(error.message, /^Cannot read policy p\.json: /);
    return error.message.slice("Cannot read policy p.json: ".length);
  }
  return "accepted";
}

/** A policy with this requirement as its default. */
function requirement(fields: object): string {
  return JSON.stringify({ default: [fields] });
}

test("policy: one mistake refuses the whole file, with place and reason", () => {
  const cases: [string, string | RegExp][] = [
    ["", /^it is not JSON: /],
    ["[]", "it is not an object"],
    ["{}", "default is missing"],
    ['{"default":[]}', "default is an empty list"],
    [`{"default":${ACCEPT}}`, "default is not a list"],
    [`{"default":[${ACCEPT}]} {}`, /^it is not JSON: /],
    [`\ufeff{"default":[${ACCEPT}]}`, /^it is not JSON: /],
    [`{"default":[${ACCEPT}],"default":[${ACCEPT}]}`, 'the key "default" occurs twice'],
    [`{"default":[${ACCEPT}],"def\\u0061ult":[${ACCEPT}]}`, 'the key "default" occurs twice'],
    [`{"Default":[${ACCEPT}]}`, "Default is not known here; known are default, transports"],
    [`{"default":[${ACCEPT}],"__proto__":{}}`, /^__proto__ is not known here/],
    [`{"default":[${ACCEPT}],"constructor":1}`, /^constructor is not known here/],
    [`{"default":[${ACCEPT}],"transports":[]}`, "transports is not an object"],
    [`{"default":[${ACCEPT}],"transports":{"docker":{"quay.io":[]}}}`, 'transports.docker."quay.io" is an empty list'],
    [`{"default":[${ACCEPT}],"transports":{"docker":{"a":[${ACCEPT}],"a":[${ACCEPT}]}}}`, 'the key "a" occurs twice'],
    [`{"default":[${ACCEPT}],"transports":{"dir":{"/":[${ACCEPT}]}}}`, 'transports.dir."/" is not a scope; write ""'],
    [`{"default":[${ACCEPT}],"transports":{"oci":{"/":[${ACCEPT}]}}}`, 'transports.oci."/" is not a scope; write ""'],
    ['{"default":[{}]}', "default[0].type is not a non-empty string"],
    ['{"default":[{"type":"accept"}]}', 'default[0].type "accept" is not known'],
    ['{"default":[{"type":"reject","type":"reject"}]}', 'the key "type" occurs twice'],
    ['{"default":[{"type":"reject","why":1}]}', "default[0].why is not known here; known are type"],
    [`{"default":[{"type":"insecureAcceptAnything","keyPath":"/k"}]}`, /^default\[0\]\.keyPath is not known here/],
    [`{"default":[${"[".repeat(200)}${"]".repeat(200)}]}`, "it is nested deeper than 64"],
  ];
  for (const [text, expected] of cases) {
    const refusal = refusalOf(text);
    if (typeof expected === "string") assert.equal(refusal, expected, text);
    else assert.match(refusal, expected, text);
  }
});

test("policy: the fields of every requirement are checked", () => {
  const signedBy = { type: "signedBy", keyType: "GPGKeys" };
  const sigstore = { type: "sigstoreSigned", keyPath: "/k" };
  const fulcio = { caPath: "/ca", oidcIssuer: "https://i", subjectEmail: "a@b" };
  const pki = { caRootsPath: "/ca", subjectEmail: "a@b" };
  const cases: [object, string | RegExp][] = [
    [{ type: "signedBy", keyPath: "/k" }, /^default\[0\]\.keyType is not a non-empty string$/],
    [{ ...signedBy, keyType: "x", keyPath: "/k" }, 'default[0].keyType is not "GPGKeys"'],
    [signedBy, "default[0] has none of keyPath, keyPaths, keyData"],
    [{ ...signedBy, keyPath: "/k", keyData: KEY }, "default[0].keyData excludes keyPath"],
    [{ ...signedBy, keyPaths: [] }, "default[0].keyPaths is an empty list"],
    [{ ...signedBy, keyData: "%" }, "default[0].keyData is not base64"],
    [{ ...signedBy, keyPath: "/k", keyDatas: [KEY] }, /^default\[0\]\.keyDatas is not known here/],
    [{ type: "sigstoreSigned" }, /^default\[0\] has none of keyPath, keyPaths, keyData, keyDatas, fulcio, pki$/],
    [{ ...sigstore, keyDatas: [KEY] }, "default[0].keyDatas excludes keyPath"],
    [{ type: "sigstoreSigned", keyPath: null }, /^default\[0\]\.keyPath is not a non-empty string$/],
    [{ ...sigstore, keypath: "/k" }, /^default\[0\]\.keypath is not known here/],
    [{ ...sigstore, rekorPublicKeyPath: "/r", rekorPublicKeyData: KEY }, /rekorPublicKeyData excludes/],
    [{ type: "sigstoreSigned", fulcio }, "default[0].fulcio needs a rekorPublicKeyPath beside it"],
    [
      { type: "sigstoreSigned", fulcio: { ...fulcio, caData: KEY }, rekorPublicKeyPath: "/r" },
      /caData excludes caPath/,
    ],
    [{ type: "sigstoreSigned", fulcio: { caPath: "/c", oidcIssuer: "i" }, rekorPublicKeyPath: "/r" }, /subjectEmail/],
    [{ type: "sigstoreSigned", pki, rekorPublicKeyPath: "/r" }, "default[0].pki excludes the keys of a log"],
    [{ type: "sigstoreSigned", pki: { caRootsPath: "/ca" } }, /has neither subjectEmail nor subjectHostname$/],
    [{ type: "signedBaseLayer" }, "default[0].baseLayerIdentity is missing"],
    [{ ...sigstore, signedIdentity: { type: "matchAll" } }, 'default[0].signedIdentity.type "matchAll" is not known'],
    [{ ...sigstore, signedIdentity: { type: "matchExact", x: 1 } }, /^default\[0\]\.signedIdentity\.x is not known/],
    [{ ...sigstore, signedIdentity: { type: "exactReference", dockerReference: "a.b/c" } }, /neither tag nor digest$/],
    [
      { ...sigstore, signedIdentity: { type: "exactReference", dockerReference: "A b" } },
      /is not the name of an image$/,
    ],
    [{ ...sigstore, signedIdentity: { type: "exactRepository", dockerRepository: "a.b/c:t" } }, /not a repository$/],
    [
      { ...sigstore, signedIdentity: { type: "remapIdentity", prefix: "a.b/c:t", signedPrefix: "x.y" } },
      /prefix is not/,
    ],
    [
      { ...sigstore, signedIdentity: { type: "remapIdentity", prefix: "a.b" } },
      "default[0].signedIdentity.signedPrefix is missing",
    ],
    [{ type: "sigstoreBundle" }, /^default\[0\] has none of /],
    [{ type: "sigstoreBundle", keyPath: "/k", subject: "x" }, "default[0].subject excludes keyPath"],
    [{ type: "sigstoreBundle", trustedRootPath: "/r" }, /^default\[0\]\.oidcIssuer is not a non-empty string$/],
    [{ type: "sigstoreBundle", keyPath: "/k", signedIdentity: { type: "matchExact" } }, /signedIdentity is not known/],
  ];
  for (const [fields, expected] of cases) {
    const refusal = refusalOf(requirement(fields));
    if (typeof expected === "string") assert.equal(refusal, expected, JSON.stringify(fields));
    else assert.match(refusal, expected, JSON.stringify(fields));
  }
  const good = [
    { ...signedBy, keyPaths: ["/a", "/b"], signedIdentity: { type: "matchRepository" } },
    { type: "sigstoreSigned", keyDatas: [KEY], rekorPublicKeyDatas: [KEY] },
    { type: "sigstoreSigned", fulcio, rekorPublicKeyPath: "/r" },
    { type: "sigstoreSigned", pki: { ...pki, caIntermediatesPath: "/i", subjectHostname: "h" } },
    { type: "signedBaseLayer", baseLayerIdentity: { type: "matchExact" } },
    { type: "sigstoreBundle", trustedRootPath: "/r", oidcIssuer: "https://i", subject: "a@b" },
  ];
  for (const fields of good) assert.equal(refusalOf(requirement(fields)), "accepted");
});

test("policy: transports that are not read here are kept", () => {
  const text = `{"default":[{"type":"reject"}],"transports":{"tarball":{"":[${ACCEPT}]},"ostree":{"x":[${ACCEPT}]}}}`;
  const policy = parse(text);
  assert.deepEqual([...policy.transports.keys()], ["tarball", "ostree"]);
  assert.deepEqual(policy.transports.get("ostree")?.get("x"), [{ type: "insecureAcceptAnything" }]);
  assert.deepEqual(policy.default, [{ type: "reject" }]);
});

test("policy: the first file of the search path is the only one, and a damaged one is not passed over", async () => {
  const paths = ["a", "b", "c"].map((name) => join(scratch.path, name, "policy.json"));
  assert.equal(await findPolicy(paths), undefined);
  for (const path of paths.slice(1)) {
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, `{"default":[${ACCEPT}]}`);
  }
  assert.equal((await findPolicy(paths))?.path, paths[1]);
  await mkdir(join(scratch.path, "a"));
  await writeFile(paths[0] ?? "", "{}");
  await assert.rejects(findPolicy(paths), { code: "corrupt" });
  await assert.rejects(findPolicy([join(scratch.path, "named.json")]), { code: "not-found" });
});

test("policy: the search path is the reference's", () => {
  assert.deepEqual(policySearchPath({ CONTAINERS_POLICY_JSON: "/p.json", XDG_CONFIG_HOME: "/x" }), ["/p.json"]);
  assert.deepEqual(policySearchPath({ XDG_CONFIG_HOME: "/x" }), [
    "/x/containers/policy.json",
    "/etc/containers/policy.json",
    "/usr/share/containers/policy.json",
  ]);
});

test("policy: large hostile texts are refused at once", () => {
  const size = 4 << 20;
  const texts = [
    '"\\"'.repeat(size / 4),
    `"${'\\"'.repeat(size / 2)}`,
    "[".repeat(size),
    `{"a":"${"x".repeat(size)}"}`,
  ];
  const started = performance.now();
  for (const text of texts) assert.notEqual(refusalOf(text), "accepted");
  assert.ok(performance.now() - started < 20_000);
});

test("policy: any JSON is read or refused, and an object with a key twice never read", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const refusal = refusalOf(text);
      assert.notEqual(refusal, "");
    }),
  );
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), fc.jsonValue(), (key, one, two) => {
      const name = JSON.stringify(key);
      const text = `{"default":[${ACCEPT}],"transports":{"x":{${name}:${JSON.stringify(one)},${name}:${JSON.stringify(two)}}}}`;
      assert.match(refusalOf(text), /occurs twice$|nested deeper/);
    }),
  );
});
