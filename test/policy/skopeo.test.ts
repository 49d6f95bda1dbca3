import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { SealrootError } from "../../src/errors/index.ts";
import { openImage } from "../../src/images/index.ts";
import { OciLayout, parseReference } from "../../src/oci/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { type DockerRegistry, skopeoCopy, startDockerRegistry } from "../registry/docker-registry.ts";
import { type Fixture, openFixture, SIGNED_IMAGE, SIGNED_REPOSITORY } from "./fixture.ts";

const run = promisify(execFile);

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let fixture: Fixture;
let registry: DockerRegistry;
/** With cosign's signatures and the bundle; with skopeo's OpenPGP signature; with none. */
let repository: { readonly cosign: string; readonly simple: string; readonly unsigned: string };
let registriesD: string;
let gpgKey: string;
before(async () => {
  scratch = await scratchDirectory();
  fixture = await openFixture(scratch.path);
  registry = await startDockerRegistry();
  const { host } = registry;
  repository = { cosign: `${host}/t/sig`, simple: `${host}/t/simple`, unsigned: `${host}/t/unsigned` };
  registriesD = join(scratch.path, "config/containers/registries.d");
  const lookaside = `file://${join(scratch.path, "lookaside")}`;
  await writeFile(join(registriesD, "all.yaml"), `default-docker:\n  lookaside: ${lookaside}\n`);
  gpgKey = await newGpgKey();
  const image = `oci:${fixture.directory}:v`;
  const name = SIGNED_IMAGE.replace(":", "-");
  await skopeoCopy(image, `docker://${repository.cosign}:v`);
  await skopeoCopy(`oci:${fixture.directory}:${name}.sig`, `docker://${repository.cosign}:${name}.sig`);
  await pushReferrers(name);
  await skopeoCopy(image, `docker://${repository.unsigned}:v`);
  const signing = ["--sign-by", "signer@example.com", "--dest-tls-verify=false"];
  await skopeo("--insecure-policy", "copy", "--quiet", ...signing, image, `docker://${repository.simple}:v`);
});
after(async () => {
  execFileSync("gpgconf", ["--homedir", join(scratch.path, "gnupg"), "--kill", "all"]);
  await registry?.stop();
  await scratch.remove();
});

function skopeo(...words: readonly string[]) {
  const env = { ...process.env, GNUPGHOME: join(scratch.path, "gnupg") };
  return run("skopeo", ["--registries.d", registriesD, ...words], { env });
}

/** @returns a file with the public key */
async function newGpgKey(): Promise<string> {
  const home = join(scratch.path, "gnupg");
  await mkdir(home, { mode: 0o700 });
  const gpg = (...words: string[]) => execFileSync("gpg", ["--homedir", home, "--batch", "--quiet", ...words]);
  const kind = ["signer <signer@example.com>", "ed25519", "sign", "never"];
  gpg("--passphrase", "", "--quick-generate-key", ...kind);
  const path = join(scratch.path, "signer.asc");
  await writeFile(path, gpg("--armor", "--export", "signer@example.com"));
  return path;
}

/** The bundle, and the list that stands in for the referrers API, which this registry has not; byte for byte. */
async function pushReferrers(tag: string): Promise<void> {
  const layout = await OciLayout.open(fixture.directory);
  const { manifests } = await layout.readIndex();
  const base = `http://${registry.host}/v2/t/sig`;
  const read = (digest: string) => readFile(layout.blobs.pathOf(digest));
  const putBlob = async (digest: string) => {
    const { headers } = await fetch(`${base}/blobs/uploads/`, { method: "POST" });
    const place = new URL(headers.get("location") ?? "", base);
    place.searchParams.set("digest", digest);
    assert.equal((await fetch(place, { method: "PUT", body: new Uint8Array(await read(digest)) })).status, 201);
  };
  const putManifest = async (name: string, digest: string, mediaType: string) => {
    const body = new Uint8Array(await read(digest));
    const request = { method: "PUT", body, headers: { "content-type": mediaType } };
    assert.equal((await fetch(`${base}/manifests/${name}`, request)).status, 201);
  };
  const bundle = manifests.find(({ artifactType }) => artifactType?.includes("sigstore.bundle"));
  const list = manifests.find(({ annotations }) => annotations?.["org.opencontainers.image.ref.name"] === tag);
  assert.ok(bundle && list);
  const { config, layers } = JSON.parse((await read(bundle.digest)).toString("utf8"));
  for (const { digest } of [config, ...layers]) await putBlob(digest);
  await putManifest(bundle.digest, bundle.digest, bundle.mediaType);
  await putManifest(tag, list.digest, list.mediaType);
}

let files = 0;
async function policyFile(policy: object): Promise<string> {
  const path = join(scratch.path, `policy-${files++}.json`);
  await writeFile(path, JSON.stringify(policy));
  return path;
}

async function ours(reference: string, path: string): Promise<string> {
  try {
    const image = await openImage(parseReference(reference), { policy: { path }, registry: { tlsVerify: false } });
    await image.close();
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof SealrootError);
    assert.ok(["untrusted", "corrupt"].includes(error.code), error.message);
    return error.message;
  }
}

async function theirs(reference: string, path: string): Promise<string> {
  const target = `dir:${join(scratch.path, `copy-${files++}`)}`;
  try {
    await skopeo("--policy", path, "copy", "--quiet", "--src-tls-verify=false", reference, target);
    return "accepted";
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr);
  }
}

const [ACCEPT, REJECT] = [{ type: "insecureAcceptAnything" }, { type: "reject" }];
const NO_SIGNATURE = /A signature was required, but no signature exists/;

type Case = readonly [reference: string, policy: object, expected: "accepted" | RegExp];

async function expectVerdicts(cases: readonly Case[], judges: readonly (typeof ours)[]): Promise<void> {
  for (const [reference, policy, expected] of cases) {
    const path = await policyFile(policy);
    for (const judge of judges) {
      const verdict = await judge(reference, path);
      const message = `${judge.name}: ${reference} ${JSON.stringify(policy)}`;
      if (expected === "accepted") assert.equal(verdict, "accepted", message);
      else assert.match(verdict, expected, message);
    }
  }
}

test("a registry: skopeo and sealroot give the same verdicts, with the same reasons", async () => {
  const signedBy = (signedIdentity?: object) => {
    return { type: "signedBy", keyType: "GPGKeys", keyPath: gpgKey, ...(signedIdentity && { signedIdentity }) };
  };
  const [signed, unsigned] = [`docker://${repository.simple}:v`, `docker://${repository.unsigned}:v`];
  const byDigest = `docker://${repository.simple}@${SIGNED_IMAGE}`;
  const inDocker = (scope: string) => ({ default: [REJECT], transports: { docker: { [scope]: [signedBy()] } } });
  const elsewhere = { type: "exactRepository", dockerRepository: "registry.example.com/other" };
  const remap = { type: "remapIdentity", prefix: `${registry.host}/x`, signedPrefix: "registry.example.com" };
  await expectVerdicts(
    [
      [signed, { default: [signedBy()] }, "accepted"],
      [byDigest, { default: [signedBy()] }, "accepted"],
      [signed, { default: [signedBy({ type: "matchExact" })] }, "accepted"],
      [byDigest, { default: [signedBy({ type: "matchExact" })] }, /Signature for identity .* is not accepted/],
      [signed, { default: [signedBy({ type: "matchRepository" })] }, "accepted"],
      [signed, { default: [signedBy(elsewhere)] }, /Signature for identity .* is not accepted/],
      [signed, { default: [signedBy(remap)] }, "accepted"],
      [unsigned, { default: [signedBy()] }, NO_SIGNATURE],
      [signed, { default: [ACCEPT, signedBy()] }, "accepted"],
      [unsigned, { default: [ACCEPT, signedBy()] }, NO_SIGNATURE],
      [signed, { default: [signedBy(), REJECT] }, /is rejected by policy/],
      [signed, { default: [ACCEPT, REJECT] }, /is rejected by policy/],
      [signed, inDocker(`${repository.simple}:v`), "accepted"],
      [signed, inDocker(repository.simple), "accepted"],
      [signed, inDocker(`${registry.host}/t`), "accepted"],
      [signed, inDocker(registry.host), "accepted"],
      [signed, inDocker("127.0.0.1"), /is rejected by policy/],
      [signed, inDocker("*.0.0.1"), "accepted"],
      [signed, inDocker(""), "accepted"],
      [signed, inDocker(`${repository.simple}:w`), /is rejected by policy/],
      [signed, { default: [] }, /policy/],
      [signed, { default: [ACCEPT], unknown: 1 }, /policy/],
      [signed, { default: [{ ...REJECT, more: 1 }] }, /policy/],
      [signed, { default: [ACCEPT], transports: { docker: { "": [] } } }, /policy/],
      [unsigned, { default: [{ type: "sigstoreSigned", keyPath: fixture.key }] }, NO_SIGNATURE],
    ],
    [theirs, ours],
  );
});

// Debian 12's skopeo has the verification of cosign's signatures compiled out ("Debian-local change: sigstore disabled");
// what is expected is what skopeo 1.18 says of the vector (test/vectors/oci/README.md).
test("a registry: cosign's signatures and bundles are found beside the image", async () => {
  const key = (keyPath: string, signedIdentity?: object) => {
    return { type: "sigstoreSigned", keyPath, ...(signedIdentity && { signedIdentity }) };
  };
  const [signed, byDigest] = [`docker://${repository.cosign}:v`, `docker://${repository.cosign}@${SIGNED_IMAGE}`];
  const elsewhere = { type: "exactRepository", dockerRepository: SIGNED_REPOSITORY };
  const remapped = { type: "remapIdentity", prefix: repository.cosign, signedPrefix: SIGNED_REPOSITORY };
  const bundle = (keyPath: string) => ({ default: [{ type: "sigstoreBundle", keyPath }] });
  const none = /None of the signatures were accepted, reasons: /;
  await expectVerdicts(
    [
      [signed, { default: [key(fixture.key, elsewhere)] }, "accepted"],
      [byDigest, { default: [key(fixture.key, elsewhere)] }, "accepted"],
      [signed, { default: [key(fixture.key, remapped)] }, "accepted"],
      [byDigest, { default: [key(fixture.key, remapped)] }, "accepted"],
      [signed, { default: [key(fixture.key)] }, none],
      [signed, { default: [key(fixture.key, { type: "matchRepository" })] }, none],
      [signed, { default: [key(fixture.otherKey, elsewhere)] }, none],
      [signed, { default: [ACCEPT, key(fixture.key, elsewhere)] }, "accepted"],
      [signed, { default: [key(fixture.key, elsewhere), key(fixture.otherKey, elsewhere)] }, none],
      [signed, bundle(fixture.key), "accepted"],
      [signed, bundle(fixture.otherKey), /cryptographic signature verification failed$/],
      [`docker://${repository.unsigned}:v`, bundle(fixture.key), /but no signature exists$/],
    ],
    [ours],
  );
});
