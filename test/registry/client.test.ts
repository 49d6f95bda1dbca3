/** The client against Debian's docker-registry: plain HTTP on loopback, HTTPS with an authority of its own, a login. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { digestOf, parseReference, type RegistryReference } from "../../src/oci/index.ts";
import {
  findImageInRegistry,
  findManifest,
  headManifest,
  listReferrers,
  listTags,
  type RegistryOptions,
} from "../../src/registry/index.ts";
import { scratchDirectory, unpack } from "../imagestore/vectors.ts";
import { CERTIFICATE_DIRECTORY, type DockerRegistry, skopeoCopy, startDockerRegistry } from "./docker-registry.ts";
import { emptyHost } from "./empty-host.ts";

const LAYOUT = new URL("../vectors/repo/01-simple/layout.tar.gz", import.meta.url).pathname;
const LOGIN = { userName: "someone", password: "a:b" };
const MANIFEST = "sha256:8dafafb00169b187363da174257a4d97389bd69cc8b5df391de66feeda393abe";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let layout: string;
before(async () => {
  scratch = await scratchDirectory();
  layout = await unpack(LAYOUT, join(scratch.path, "image"), "layout");
});
after(() => scratch.remove());

async function withRegistry(
  options: Parameters<typeof startDockerRegistry>[0],
  work: (registry: DockerRegistry, reference: RegistryReference, own: RegistryOptions) => Promise<void>,
): Promise<void> {
  const registry = await startDockerRegistry(options);
  try {
    const name = `docker://${registry.host}/some/image:v1`;
    const login = options?.login === undefined ? [] : ["--dest-creds", `${LOGIN.userName}:${LOGIN.password}`];
    await skopeoCopy(`oci:${layout}`, name, login);
    const reference = parseReference(name);
    assert.ok(reference.transport === "docker");
    await work(registry, reference, { paths: await emptyHost(scratch.path) });
  } finally {
    await registry.stop();
  }
}

test("a registry on this machine is read without encryption: manifests, tags, referrers", async () => {
  await withRegistry({}, async (registry, reference, own) => {
    const { client, manifest } = await findImageInRegistry(reference, own);
    try {
      assert.equal(manifest.digest, MANIFEST);
      assert.equal(digestOf(manifest.bytes), MANIFEST);
      const head = { mediaType: manifest.mediaType, digest: MANIFEST, sizeBytes: manifest.bytes.length };
      assert.deepEqual(await headManifest(client, "v1"), head);
      assert.equal(await headManifest(client, "v2"), undefined);
      assert.equal(await findManifest(client, "v2"), undefined);
      assert.deepEqual(await findManifest(client, MANIFEST), manifest);
      assert.deepEqual(await listTags(client), ["v1"]);
      assert.deepEqual(await listReferrers(client, MANIFEST), []);
    } finally {
      await client.close();
    }
    await assert.rejects(findImageInRegistry({ ...reference, tag: "v2" }, own), {
      code: "not-found",
      message: `Cannot read manifest ${registry.host}/some/image:v2: ${registry.host} answered with status 404: manifest unknown`,
    });
    await assert.rejects(findImageInRegistry(reference, { ...own, tlsVerify: true }), { code: "no-network" });
  });
});

test("HTTPS demands a certificate of a known authority", async () => {
  await withRegistry({ tls: true }, async (registry, reference, own) => {
    await assert.rejects(findImageInRegistry(reference, own), {
      code: "no-access",
      message: `Cannot reach https://${registry.host}: its certificate is not accepted: unable to verify the first certificate`,
    });
    const certificateDirectory = join(registry.directory, CERTIFICATE_DIRECTORY);
    for (const options of [{ certificateDirectory }, { tlsVerify: false }]) {
      const { client, manifest } = await findImageInRegistry(reference, { ...own, ...options });
      await client.close();
      assert.equal(manifest.digest, MANIFEST);
    }
  });
});

test("a login comes from the option or the file, and its absence is told", async () => {
  await withRegistry({ login: LOGIN }, async (registry, reference, own) => {
    const refused = {
      code: "no-access",
      message: `Cannot read manifest ${registry.host}/some/image:v1: ${registry.host} answered with status 401: authentication required`,
    };
    await assert.rejects(findImageInRegistry(reference, own), refused);
    const wrong = { type: "password", userName: LOGIN.userName, password: "b" } as const;
    await assert.rejects(findImageInRegistry(reference, { ...own, credentials: wrong }), refused);
    const authFile = join(registry.directory, "auth.json");
    const auth = Buffer.from(`${LOGIN.userName}:${LOGIN.password}`).toString("base64");
    await writeFile(authFile, JSON.stringify({ auths: { [`${registry.host}/some`]: { auth } } }));
    for (const options of [{ authFile }, { credentials: { type: "password", ...LOGIN } as const }]) {
      const { client, manifest } = await findImageInRegistry(reference, { ...own, ...options });
      await client.close();
      assert.equal(manifest.digest, MANIFEST);
    }
  });
});
