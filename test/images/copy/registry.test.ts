/** Writing to Debian's docker-registry: what skopeo then finds there, what is sent, what is taken over. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { copyAllImages, copyImage, openDestination } from "../../../src/images/index.ts";
import { pullImage, pushImage } from "../../../src/imagestore/index.ts";
import {
  type Descriptor,
  documentBytes,
  formatReference,
  MEDIA_TYPE,
  OciLayout,
  parseReference,
  type RegistryReference,
} from "../../../src/oci/index.ts";
import { findImageInRegistry, findManifest, listReferrers, type RegistryOptions } from "../../../src/registry/index.ts";
import { initRepository } from "../../../src/repository/index.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import { CERTIFICATE_DIRECTORY, type DockerRegistry, startDockerRegistry } from "../../registry/docker-registry.ts";
import { emptyHost } from "../../registry/empty-host.ts";
import { filesIn, type MadeImage, makeImage, noise, pulledInto, tool } from "./images.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let server: DockerRegistry;
let image: MadeImage;
let registry: RegistryOptions;
const at = (name: string) => join(scratch.path, name);
before(async () => {
  scratch = await scratchDirectory();
  server = await startDockerRegistry();
  image = await makeImage(at("source"));
  registry = { paths: await emptyHost(scratch.path), limits: { retryDelayMs: 10 } };
});
after(async () => {
  await server.stop();
  await scratch.remove();
});

function reference(name: string): RegistryReference {
  const parsed = parseReference(`docker://${server.host}/${name}`);
  assert.ok(parsed.transport === "docker");
  return parsed;
}

/** The digest of the manifest as skopeo gets it. */
function skopeoDigest(name: string): string {
  const raw = tool("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${server.host}/${name}`);
  return `sha256:${createHash("sha256").update(raw).digest("hex")}`;
}

/** skopeo fetches everything and checks it. */
function judge(name: string, ...words: string[]): void {
  const target = `dir:${at(`judged-${name.replaceAll(/\W/g, "-")}`)}`;
  tool("skopeo", "copy", "-q", "--src-tls-verify=false", ...words, `docker://${server.host}/${name}`, target);
}

test("an image of a repository arrives with the manifest it had, by tag and by digest", async () => {
  using repository = await pulledInto(at("repository"), image);
  const written = await pushImage(repository, "image", reference("plain/image:v1"), { registry });
  assert.equal(written.descriptor.digest, image.descriptor.digest);
  assert.deepEqual(
    written.layers.map((layer) => layer.sentBytes),
    image.manifest.layers.map((layer) => layer.size),
  );
  assert.equal(skopeoDigest("plain/image:v1"), image.descriptor.digest);
  judge("plain/image:v1", "--preserve-digests");
  // A second time nothing is sent, and nothing is compressed.
  const again = await pushImage(repository, "image", reference(`plain/image@${image.descriptor.digest}`), { registry });
  assert.deepEqual(again, { ...written, layers: written.layers.map((layer) => ({ ...layer, sentBytes: 0 })) });
  await assert.rejects(
    pushImage(repository, "image", reference(`plain/image@sha256:${"0".repeat(64)}`), { registry }),
    { code: "conflict", message: /^Cannot write image docker:.*: the image has another digest$/ },
  );
});

test("packed anew, the layers go once, and skopeo takes them; with a table of contents too", async () => {
  using repository = await pulledInto(at("packing-repository"), image);
  for (const packing of ["zstd", "none", "zstd:chunked"] as const) {
    const name = `packing/image:${packing.replace(":", "-")}`;
    const written = await pushImage(repository, "image", reference(name), { registry, packing });
    assert.equal(skopeoDigest(name), written.descriptor.digest);
    assert.notEqual(written.descriptor.digest, image.descriptor.digest);
    judge(name, "--preserve-digests");
    const again = await pushImage(repository, "image", reference(name), { registry, packing });
    assert.deepEqual(
      again.layers,
      written.layers.map((layer) => ({ ...layer, sentBytes: 0 })),
    );
  }
  const raw = JSON.parse(
    tool("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${server.host}/packing/image:zstd-chunked`),
  );
  for (const layer of raw.layers) {
    assert.equal(layer.mediaType, "application/vnd.oci.image.layer.v1.tar+zstd");
    assert.ok(layer.annotations["io.github.containers.zstd-chunked.manifest-checksum"]);
  }
});

test("an index goes with all its images", async () => {
  const layout = await OciLayout.create(at("many"));
  const manifests: Descriptor[] = [];
  for (const architecture of ["amd64", "arm64"]) {
    const made = await makeImage(at("many"), { architecture, tag: architecture, contents: ["shared", architecture] });
    manifests.push(made.descriptor);
  }
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }));
  await layout.enter({ mediaType: MEDIA_TYPE.index, ...(await layout.blobs.put(bytes)) }, "all");
  const written = await copyAllImages(parseReference(`oci:${at("many")}:all`), reference("many/image:all"), {
    registry,
  });
  assert.equal(skopeoDigest("many/image:all"), written.digest);
  judge("many/image:all", "--all", "--preserve-digests");
});

test("a blob of any size arrives, whole or not at all", async () => {
  const destination = await openDestination(reference("blobs/any"), { registry });
  for (const size of [0, 1, 100, 3 << 20]) {
    const bytes = noise("blob", size);
    const name = { digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, size };
    const open = async function* () {
      for (let done = 0; done < size; done += 100_000) yield bytes.subarray(done, done + 100_000);
    };
    assert.equal(await destination.hasBlob(name), false);
    const wrong = { digest: `sha256:${"1".repeat(64)}`, size };
    await assert.rejects(destination.putBlob({ name: wrong, open }), {
      code: "corrupt",
      message: `Cannot send blob ${wrong.digest} to ${server.host}/blobs/any: the registry received other bytes`,
    });
    await assert.rejects(destination.putBlob({ name: { ...name, size: size + 1 }, open }), { code: "corrupt" });
    assert.equal(await destination.hasBlob(name), false);
    assert.deepEqual(await destination.putBlob({ name, open }), { ...name, sentBytes: size });
    assert.equal(await destination.hasBlob(name), true);
  }
  await destination.finish();
});

test("a blob of a neighbouring repository is taken over instead of sent", async () => {
  await copyImage(parseReference(`oci:${at("source")}:v1`), reference("first/home:v1"), { registry });
  const mountFrom = reference("first/home:v1");
  const destination = await openDestination(reference("second/home:v1"), { registry, mountFrom });
  for (const blob of [...image.manifest.layers, image.manifest.config]) assert.ok(await destination.hasBlob(blob));
  const absent = { digest: `sha256:${"2".repeat(64)}`, size: 3 };
  assert.equal(await destination.hasBlob(absent), false);
  await destination.putManifest(image.descriptor, Buffer.from(JSON.stringify(image.manifest)), "named");
  await destination.finish();
  assert.equal(skopeoDigest("second/home:v1"), image.descriptor.digest);
  judge("second/home:v1", "--preserve-digests");
});

test("from one repository of a registry to another nothing is sent; to another registry everything", async (t) => {
  await copyImage(parseReference(`oci:${at("source")}:v1`), reference("from/here:v1"), { registry });
  const taken = await copyImage(reference("from/here:v1"), reference("to/there:v1"), { registry });
  assert.deepEqual(
    taken.layers.map((layer) => layer.sentBytes),
    image.manifest.layers.map(() => 0),
  );
  assert.equal(skopeoDigest("to/there:v1"), image.descriptor.digest);
  judge("to/there:v1", "--preserve-digests");
  const other = await startDockerRegistry();
  t.after(() => other.stop());
  const target = parseReference(`docker://${other.host}/far/away:v1`);
  const sent = await copyAllImages(reference("to/there:v1"), target, { registry });
  assert.equal(sent.digest, image.descriptor.digest);
  const raw = tool("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${other.host}/far/away:v1`);
  assert.equal(`sha256:${createHash("sha256").update(raw).digest("hex")}`, image.descriptor.digest);
  await copyImage(target, parseReference(`dir:${at("back-again")}`), { registry });
});

test("what was pulled from a registry goes back there without its layers, and stays what it was", async () => {
  // Of a compressor whose work is not repeated here.
  const fast = await makeImage(at("fast"), { level: 1 });
  const origin = reference("origin/image:v1");
  await copyImage(parseReference(`oci:${at("fast")}:v1`), origin, { registry });
  const { repository } = await initRepository(at("origin-repository"), { algorithm: "sha512", protection: "insecure" });
  using _ = repository;
  const { name } = await pullImage(repository, formatReference(origin), { registry });
  const written = await pushImage(repository, name, reference("other/image:v1"), { registry });
  assert.equal(written.descriptor.digest, fast.descriptor.digest);
  assert.deepEqual(
    written.layers.map((layer) => layer.sentBytes),
    [0, 0],
  );
  judge("other/image:v1", "--preserve-digests");
});

/** Artifacts about the image in a layout: one under cosign's tag, two with the image as their subject, and their list. */
async function makeSignatures(): Promise<readonly string[]> {
  const { layout } = await makeImage(at("signed"));
  const empty = { mediaType: MEDIA_TYPE.emptyConfig, ...(await layout.blobs.put(Buffer.from("{}"))) };
  const { mediaType, digest, size } = image.descriptor;
  const artifact = { schemaVersion: 2 as const, mediaType: MEDIA_TYPE.manifest, config: empty, layers: [empty] };
  const tag = digest.replace(":", "-");
  await layout.putManifest({ ...artifact, annotations: { note: "by tag" } }, { tag: `${tag}.sig` });
  const manifests: Descriptor[] = [];
  for (const note of ["first", "second"]) {
    const about = { artifactType: "application/x.note", subject: { mediaType, digest, size }, annotations: { note } };
    const descriptor = await layout.putManifest({ ...artifact, ...about }, { tag: note });
    manifests.push({ ...descriptor, artifactType: about.artifactType, annotations: about.annotations });
  }
  const list = documentBytes({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests });
  await layout.enter({ mediaType: MEDIA_TYPE.index, ...(await layout.blobs.put(list)) }, tag);
  return manifests.map((manifest) => manifest.digest);
}

test("signatures go with the image when asked: from a layout to a registry, to another, to a layout", async (t) => {
  const digests = await makeSignatures();
  const other = await startDockerRegistry();
  t.after(() => other.stop());
  const far = parseReference(`docker://${other.host}/signed/image:v1`);
  const route = [
    parseReference(`oci:${at("signed")}:v1`),
    reference("signed/image:v1"),
    far,
    parseReference(`oci:${at("signed-again")}:v1`),
  ];
  for (const [index, target] of route.slice(1).entries()) {
    const source = route[index];
    assert.ok(source);
    // Once as one image, once as all there are: a second time nothing is listed twice.
    await copyImage(source, target, { registry, signatures: true });
    await copyAllImages(source, target, { registry, signatures: true });
  }
  assert.ok(far.transport === "docker");
  for (const place of [reference("signed/image:v1"), far]) {
    const { client } = await findImageInRegistry(place, registry);
    const listed = await listReferrers(client, image.descriptor.digest);
    assert.deepEqual(
      listed.map(({ digest, artifactType, annotations }) => [digest, artifactType, annotations]),
      digests.map((digest, index) => [digest, "application/x.note", { note: ["first", "second"][index] }]),
    );
    for (const digest of digests) assert.equal((await findManifest(client, digest))?.digest, digest);
    assert.ok(await findManifest(client, `${image.descriptor.digest.replace(":", "-")}.sig`));
    await client.close();
  }
  const blobs = (files: Map<string, Buffer>) => new Map([...files].filter(([name]) => name.startsWith("blobs/")));
  const [before, after] = [blobs(await filesIn(at("signed"))), blobs(await filesIn(at("signed-again")))];
  for (const digest of [image.descriptor.digest, ...digests]) {
    const name = `blobs/sha256/${digest.slice("sha256:".length)}`;
    assert.deepEqual(after.get(name), before.get(name));
  }
  await assert.rejects(copyImage(far, parseReference(`dir:${at("no-room")}`), { registry, signatures: true }), {
    code: "unsupported",
    message: `Cannot copy signatures to dir:${at("no-room")}: there is no place beside the image`,
  });
});

/** Passes connections on to the registry; the first that sends more than `bytes` breaks there. */
async function cuttingProxy(bytes: number) {
  let isDone = false;
  const proxy = createServer((client) => {
    const [name = "", port = ""] = server.host.split(":");
    const upstream = connect(Number(port), name);
    let passed = 0;
    client.on("data", (part: Buffer) => {
      passed += part.length;
      upstream.write(part);
      if (isDone || passed < bytes) return;
      isDone = true;
      client.destroy();
      upstream.end();
    });
    upstream.on("data", (part: Buffer) => client.write(part));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => {});
      one.on("close", () => other.destroy());
    }
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const address = proxy.address();
  assert.ok(address !== null && typeof address === "object");
  return { host: `127.0.0.1:${address.port}`, cut: () => isDone, stop: () => proxy.close() };
}

test("a connection that breaks at any tenth of a blob costs time, no bytes of it", async () => {
  const size = 4 << 20;
  for (let tenth = 1; tenth < 10; tenth++) {
    const bytes = noise(`cut ${tenth}`, size);
    const name = { digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, size };
    const proxy = await cuttingProxy((size * tenth) / 10);
    const destination = await openDestination(parseReference(`docker://${proxy.host}/cut/blobs`), { registry });
    await destination.putBlob({
      name,
      open: async function* () {
        yield bytes;
      },
    });
    await destination.finish();
    proxy.stop();
    assert.ok(proxy.cut());
    const direct = await openDestination(reference("cut/blobs"), { registry });
    assert.equal(await direct.hasBlob(name), true);
    await direct.finish();
  }
});

test("a registry with encryption and a login takes the image of whom it knows, and of nobody else", async (t) => {
  const login = { userName: "someone", password: "a:b" };
  const closed = await startDockerRegistry({ tls: true, login });
  t.after(() => closed.stop());
  const target = parseReference(`docker://${closed.host}/some/image:v1`);
  const copy = (own: RegistryOptions) =>
    copyImage(parseReference(`oci:${at("source")}:v1`), target, { registry: { ...registry, ...own } });
  const certificateDirectory = join(closed.directory, CERTIFICATE_DIRECTORY);
  const credentials = { type: "password" as const, ...login };
  await assert.rejects(copy({ credentials }), { code: "no-access", message: /its certificate is not accepted/ });
  for (const wrong of [{}, { credentials: { ...credentials, password: "b" } }]) {
    await assert.rejects(copy({ ...wrong, certificateDirectory }), {
      code: "no-access",
      // Asked before the source is read.
      message: /^Cannot write to 127\.0\.0\.1:\d+\/some\/image: .* status 401/,
    });
  }
  const written = await copy({ credentials, certificateDirectory });
  assert.equal(written.descriptor.digest, image.descriptor.digest);
  const words = ["inspect", "--raw", "--creds", "someone:a:b", "--cert-dir", certificateDirectory];
  const raw = tool("skopeo", ...words, `docker://${closed.host}/some/image:v1`);
  assert.equal(`sha256:${createHash("sha256").update(raw).digest("hex")}`, image.descriptor.digest);
});

test("the registry's words are passed on: no such place, nobody there", async () => {
  const nobody = parseReference("docker://127.0.0.1:1/some/image:v1");
  await assert.rejects(copyImage(parseReference(`oci:${at("source")}:v1`), nobody, { registry }), {
    code: "no-network",
    message: /^Cannot reach https?:\/\/127\.0\.0\.1:1: /,
  });
});
