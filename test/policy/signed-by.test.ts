import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { digestOf, nameOfReference, parseReference } from "../../src/oci/index.ts";
import { assertAccepted } from "../../src/policy/evaluate.ts";
import { readRegistriesD, signatureStorageOf } from "../../src/policy/registries-d.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { newKeys, payloadOf, policyOf, storeWithSignature, subjectOf, writePublicKey } from "./fixture.ts";

const MANIFEST = Buffer.from('{"schemaVersion":2}');
const DIGEST = digestOf(MANIFEST);
const NAME = "reg.example.com/org/app:v1";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let keyPath: string;
let otherKeyPath: string;
/** Where signatures of the image lie, in the lookaside that is configured. */
let signatures: string;
let registriesD: string;
before(async () => {
  scratch = await scratchDirectory();
  process.env.XDG_CONFIG_HOME = join(scratch.path, "config");
  registriesD = join(scratch.path, "config/containers/registries.d");
  await mkdir(registriesD, { recursive: true });
  await mkdir(join(scratch.path, "gnupg"), { mode: 0o700 });
  const lookaside = join(scratch.path, "lookaside");
  await writeFile(join(registriesD, "a.yaml"), `docker:\n  reg.example.com:\n    lookaside: file://${lookaside}\n`);
  signatures = join(lookaside, `org/app@${DIGEST.replace(":", "=")}`);
  keyPath = await newGpgKey("signer");
  otherKeyPath = await newGpgKey("other");
});
after(async () => {
  execFileSync("gpgconf", ["--homedir", join(scratch.path, "gnupg"), "--kill", "all"]);
  await scratch.remove();
});

function gpg(words: readonly string[], input?: Uint8Array): Buffer {
  const fixed = [
    "--homedir",
    join(scratch.path, "gnupg"),
    "--batch",
    "--quiet",
    "--passphrase",
    "",
    "--pinentry-mode",
    "loopback",
  ];
  return execFileSync("gpg", [...fixed, ...words], { ...(input && { input }), stdio: ["pipe", "pipe", "pipe"] });
}

/** @returns a file with the public key, armoured */
async function newGpgKey(name: string): Promise<string> {
  gpg(["--quick-generate-key", `${name} <${name}@example.com>`, "ed25519", "sign", "never"]);
  const path = join(scratch.path, `${name}.asc`);
  await writeFile(path, gpg(["--armor", "--export", `${name}@example.com`]));
  return path;
}

function simplePayload(reference = NAME, digest = DIGEST): Buffer {
  const text = payloadOf(digest, reference).toString().replace("cosign container image", "atomic container");
  return Buffer.from(text.replace("null", '{"creator":"test","timestamp":1700000000}'));
}

function signWith(name: string, content: Uint8Array): Buffer {
  return gpg(["--local-user", `${name}@example.com`, "--output", "-", "--sign"], content);
}

/** Puts these in the lookaside, and nothing else. */
async function setSignatures(...files: readonly Uint8Array[]): Promise<void> {
  await rm(signatures, { recursive: true, force: true });
  await mkdir(signatures, { recursive: true });
  for (const [index, bytes] of files.entries()) await writeFile(join(signatures, `signature-${index + 1}`), bytes);
}

async function verdict(requirement: object = signedBy(keyPath), reference = `docker://${NAME}`): Promise<string> {
  const manifest = { digest: DIGEST, bytes: MANIFEST };
  try {
    await assertAccepted(policyOf(requirement), subjectOf(reference, { manifest, store: undefined }));
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof SealrootError);
    return `${error.code}: ${error.message.replace(/^.* in policy\.json: /, "")}`;
  }
}

function signedBy(path: string, more: object = {}) {
  return { type: "signedBy", keyType: "GPGKeys", keyPath: path, ...more };
}

test("OpenPGP: a good signature by the key of the policy is accepted, in every form of key and file", async () => {
  const signed = signWith("signer", simplePayload());
  await setSignatures(signed);
  assert.equal(await verdict(), "accepted");
  const armoured = await readFile(keyPath);
  assert.equal(
    await verdict({ type: "signedBy", keyType: "GPGKeys", keyData: armoured.toString("base64") }),
    "accepted",
  );
  const binary = join(scratch.path, "signer.gpg");
  await writeFile(binary, gpg(["--export", "signer@example.com"]));
  assert.equal(await verdict(signedBy(binary)), "accepted");
  const paths = { type: "signedBy", keyType: "GPGKeys", keyPaths: [otherKeyPath, keyPath] };
  assert.equal(await verdict(paths), "accepted");
  await setSignatures(Buffer.concat([Buffer.from("\0simple-signing\n"), signed]));
  assert.equal(await verdict(), "accepted");
});

test("OpenPGP: another key, another image, another name, changed bytes", async () => {
  await setSignatures();
  assert.equal(await verdict(), "untrusted: A signature was required, but no signature exists");
  const signed = signWith("signer", simplePayload());
  const changed = Buffer.from(signed);
  changed[signed.length - 5] = (changed[signed.length - 5] ?? 0) ^ 1;
  const other = `sha256:${"1".repeat(64)}`;
  const cases: [Uint8Array, RegExp][] = [
    [signWith("other", simplePayload()), /^untrusted: Invalid GPG signature: ERRSIG$/],
    [changed, /^untrusted: Invalid GPG signature: /],
    [signWith("signer", simplePayload(NAME, other)), /^untrusted: Signature for digest sha256:1111.* does not match/],
    [
      signWith("signer", simplePayload("reg.example.com/org/app")),
      /^untrusted: Signature for identity .* not accepted$/,
    ],
    [signWith("signer", payloadOf(DIGEST, NAME)), /is not "atomic container signature"$/],
    [signWith("signer", Buffer.from("{}")), /^untrusted: Cannot read signature payload: critical is missing$/],
    [simplePayload(), /^untrusted: Invalid GPG signature: /],
    [Buffer.from([0x80]), /^untrusted: Invalid GPG signature: /],
  ];
  for (const [bytes, expected] of cases) {
    await setSignatures(bytes);
    assert.match(await verdict(), expected);
  }
  await setSignatures(...cases.map(([bytes]) => bytes), signed);
  assert.equal(await verdict(), "accepted");
  await setSignatures(signWith("signer", simplePayload("reg.example.com/org/app")));
  assert.equal(await verdict(signedBy(keyPath, { signedIdentity: { type: "matchRepository" } })), "accepted");
  const twice = gpg(
    ["--local-user", "signer@example.com", "--local-user", "other@example.com", "--output", "-", "--sign"],
    simplePayload(),
  );
  await setSignatures(twice);
  const both = { type: "signedBy", keyType: "GPGKeys", keyPaths: [keyPath, otherKeyPath] };
  assert.match(await verdict(both), /^untrusted: Unexpected GPG signature count 2$/);
});

test("OpenPGP: signatures of another kind are passed over, keys that are none are an error", async () => {
  await setSignatures(Buffer.from('\0sigstore-json\n{"mimeType":"x"}'));
  assert.equal(await verdict(), "untrusted: A signature was required, but no signature exists");
  const path = join(scratch.path, "none.asc");
  await writeFile(path, "no key");
  await setSignatures(signWith("signer", simplePayload()));
  assert.match(await verdict(signedBy(path)), /^corrupt: Cannot read the OpenPGP key of .*none\.asc/);
  assert.match(await verdict(signedBy(join(scratch.path, "absent.asc"))), /^not-found: /);
});

test("OpenPGP: a dir: has its signatures beside it", async () => {
  const directory = join(scratch.path, "image");
  await mkdir(directory);
  await writeFile(join(directory, "signature-1"), signWith("signer", simplePayload()));
  const exact = { signedIdentity: { type: "exactReference", dockerReference: NAME } };
  assert.equal(await verdict(signedBy(keyPath, exact), `dir:${directory}`), "accepted");
  assert.match(await verdict(signedBy(keyPath), `dir:${directory}`), /^untrusted: Signature for identity/);
});

test("lookaside over HTTP: numbered until 404; a server that fails is not an absent signature", async () => {
  const bytes = signWith("signer", simplePayload());
  const asked: string[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const found = request.url?.endsWith("/signature-1") === true;
    response.writeHead(found ? status : 404).end(found && status === 200 ? bytes : undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const base = `http://127.0.0.1:${address.port}/sigs/`;
  await writeFile(join(registriesD, "b.yaml"), `docker:\n  reg.example.com/org:\n    lookaside: ${base}\n`);
  try {
    assert.equal(await verdict(), "accepted");
    const folder = `/sigs/org/app@${DIGEST.replace(":", "=")}`;
    assert.deepEqual(asked, [`${folder}/signature-1`, `${folder}/signature-2`]);
    status = 403;
    assert.match(await verdict(), /^no-access: Cannot fetch signature .* answers 403$/);
  } finally {
    await rm(join(registriesD, "b.yaml"));
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await writeFile(join(registriesD, "b.yaml"), `docker:\n  reg.example.com/org:\n    lookaside: ${base}\n`);
  assert.match(await verdict(), /^no-network: /);
  await rm(join(registriesD, "b.yaml"));
});

test("registries.d: missing options come from less specific scopes, doubled scopes are refused", async () => {
  const directory = join(scratch.path, "registries.d");
  await mkdir(directory);
  const write = (name: string, text: string) => writeFile(join(directory, name), text);
  await write("a.yaml", "default-docker:\n  sigstore: file:///old\n  use-sigstore-attachments: true\n");
  await write(
    "b.yaml",
    "docker:\n  quay.io/org:\n    lookaside: https://sigs\n  '*.example.com': {lookaside: file:///w}\n",
  );
  await write("c.yaml", "docker:\n  quay.io/org/app:\n    use-sigstore-attachments: false\n");
  await write("README", "no YAML: at: all");
  const configuration = await readRegistriesD(directory);
  const of = (text: string) => {
    const reference = parseReference(text);
    assert.ok(reference.transport === "docker");
    return signatureStorageOf(configuration, nameOfReference(reference));
  };
  assert.deepEqual(of("docker://quay.io/org/app:v"), { lookaside: "https://sigs", useSigstoreAttachments: false });
  assert.deepEqual(of("docker://quay.io/org/x:v"), { lookaside: "https://sigs", useSigstoreAttachments: true });
  assert.deepEqual(of("docker://a.example.com/x"), { lookaside: "file:///w", useSigstoreAttachments: true });
  assert.deepEqual(of("docker://other.io/x"), { lookaside: "file:///old", useSigstoreAttachments: true });
  const bad: [string, RegExp][] = [
    ["docker:\n  quay.io/org: {}\n", /docker "quay\.io\/org" occurs twice$/],
    ["default-docker: {}\n", /default-docker occurs twice$/],
    ["default-docker: 1\n", /default-docker occurs twice$/],
    ["docker: [1]\n", /docker is not a mapping$/],
    ["docker:\n  a.io: 1\n", /docker "a\.io" is not a mapping$/],
    ["docker:\n  a.io: {lookaside: 1}\n", /lookaside of docker "a\.io" is not a URL of a file, http or https$/],
    ["docker:\n  a.io: {lookaside: ftp://a}\n", /lookaside of docker "a\.io" is not a URL of a file, http or https$/],
    ["docker:\n  a.io: {sigstore: /var/sigs}\n", /lookaside of docker "a\.io" is not a URL of a file, http or https$/],
    ["docker:\n  a.io: {use-sigstore-attachments: 1}\n", /neither true nor false$/],
    ["docker:\n  a.io: {look-aside: file:///x}\n", /: look-aside of docker "a\.io" is not known here$/],
    ["dockre: {}\n", /: dockre is not known here$/],
    ["docker:\n  a.io/: {}\n", /docker "a\.io\/" can never match: a slash at its end matches nothing; write "a\.io"$/],
    ["docker:\n  a: {}\n", /docker "a" can never match: names are compared in full; write "docker\.io\/library\/a"$/],
    ["docker:\n  QUAY.io/org: {}\n", /docker "QUAY\.io\/org" occurs twice$/],
    ["a: [\n", /^Cannot read .*z\.yaml: /],
    ["docker:\n  a: {}\n  a: {}\n", /^Cannot read .*z\.yaml: /],
  ];
  for (const [text, message] of bad) {
    await write("z.yaml", text);
    await assert.rejects(readRegistriesD(directory), { code: "corrupt", message });
  }
  assert.deepEqual((await readRegistriesD(join(scratch.path, "absent"))).sections.size, 0);
});

test("registries.d: only an explicit no keeps from looking for cosign's signatures", async () => {
  const keys = newKeys();
  const path = writePublicKey(scratch.path, "cosign.pub", keys.publicKey);
  const manifest = { digest: DIGEST, bytes: MANIFEST };
  const subject = subjectOf(`docker://${NAME}`, { manifest, store: storeWithSignature(keys.privateKey, DIGEST, NAME) });
  const policy = policyOf({ type: "sigstoreSigned", keyPath: path });
  await assertAccepted(policy, subject);
  await writeFile(
    join(registriesD, "c.yaml"),
    "docker:\n  reg.example.com/org:\n    use-sigstore-attachments: false\n",
  );
  await assert.rejects(assertAccepted(policy, subject), { code: "untrusted", message: /no signature exists$/ });
  await rm(join(registriesD, "c.yaml"));
});
