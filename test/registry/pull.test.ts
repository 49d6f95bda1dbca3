/** Images from Debian's docker-registry into repositories: by tag and digest, of Docker's schema, of several platforms. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import { openImage } from "../../src/images/index.ts";
import { pullImage } from "../../src/imagestore/index.ts";
import {
  type Descriptor,
  digestOf,
  documentBytes,
  MEDIA_TYPE,
  OciLayout,
  type Platform,
  parsePlatform,
  parseReference,
} from "../../src/oci/index.ts";
import { ACCEPT_ANYTHING } from "../../src/policy/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import { file, type LayeredImage, layeredImage, randomFiles } from "../imagestore/layered-image.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { type DockerRegistry, skopeoCopy, startDockerRegistry } from "./docker-registry.ts";
import { emptyHost, type HostPaths } from "./empty-host.ts";

const LOGIN = { userName: "someone", password: "a:b" };

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let registry: DockerRegistry;
let paths: HostPaths;
let image: LayeredImage;
before(async () => {
  scratch = await scratchDirectory();
  paths = await emptyHost(scratch.path);
  const layers = [randomFiles("a", [300_000, 40]), [file("b", Buffer.alloc(5000, 7))]];
  image = await layeredImage(join(scratch.path, "image"), layers, { compression: "gzip" });
  registry = await startDockerRegistry({ login: LOGIN });
  await copy(image.reference, "image:t");
  await copy(image.reference, "docker:t", "--format", "v2s2");
});
after(async () => {
  await registry.stop();
  await scratch.remove();
});

const credentials = { type: "password", ...LOGIN } as const;
const nameOf = (image: string) => `docker://${registry.host}/${image}`;
const own = () => ({ policy: ACCEPT_ANYTHING, registry: { paths, credentials } });

function copy(source: string, target: string, ...words: string[]): Promise<void> {
  return skopeoCopy(source, nameOf(target), ["--dest-creds", `${LOGIN.userName}:${LOGIN.password}`, ...words]);
}

let made = 0;
async function pulledId(reference: string) {
  const path = join(scratch.path, `repository-${++made}`);
  using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
  const pulled = await pullImage(repository, reference, { name: "x", ...own() });
  return { id: pulled.imageIds.get(repository.formats.default), manifestDigest: pulled.manifestDigest };
}

async function manifestOf(layout: OciLayout): Promise<Descriptor> {
  const [entry] = (await layout.readIndex()).manifests;
  assert.ok(entry);
  return entry;
}

test("an image is the same from a registry as from a layout, by tag and by digest", async () => {
  const fromLayout = await pulledId(image.reference);
  const { digest } = await manifestOf(image.layout);
  assert.equal(fromLayout.manifestDigest, digest);
  assert.deepEqual(await pulledId(nameOf("image:t")), fromLayout);
  assert.deepEqual(await pulledId(nameOf(`image@${digest}`)), fromLayout);
  // The digest decides.
  assert.deepEqual(await pulledId(nameOf(`image:absent@${digest}`)), fromLayout);
});

test("an image of Docker's schema has the same content; the original keeps its digest", async () => {
  const opened = await openImage(parseReference(nameOf("docker:t")), own());
  try {
    const { original, descriptor } = opened;
    assert.equal(original.descriptor.mediaType, "application/vnd.docker.distribution.manifest.v2+json");
    assert.equal(original.descriptor.digest, digestOf(original.manifestBytes));
    assert.notEqual(descriptor.digest, original.descriptor.digest);
    assert.equal(descriptor.digest, digestOf(opened.manifestBytes));
    assert.equal(opened.manifest.config.mediaType, MEDIA_TYPE.config);
    assert.deepEqual(
      opened.manifest.layers.map(({ digest }) => digest),
      image.layers.map(({ digest }) => digest),
    );
    assert.equal(opened.remote, true);
    assert.deepEqual(opened.indexes, []);
    const { id, manifestDigest } = await pulledId(nameOf(`docker@${original.descriptor.digest}`));
    assert.equal(id, (await pulledId(image.reference)).id);
    assert.equal(manifestDigest, descriptor.digest);
  } finally {
    await opened.close();
  }
});

test("of an index the image for the asked platform is taken", async () => {
  const platforms = ["linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7"].map(parsePlatform);
  const layout = await OciLayout.create(join(scratch.path, "many"));
  const entries: Descriptor[] = [];
  for (const platform of platforms) entries.push({ ...(await imageFor(layout, platform)), platform });
  const index = documentBytes({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: entries });
  const described = { mediaType: MEDIA_TYPE.index, ...(await layout.blobs.put(index)) };
  await writeFile(
    join(layout.directory, "index.json"),
    documentBytes({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [described] }),
  );
  await copy(`oci:${layout.directory}`, "many:t", "--all");
  const chosen = async (platform: string) => {
    const opened = await openImage(parseReference(nameOf("many:t")), { ...own(), platform: parsePlatform(platform) });
    await opened.close();
    assert.deepEqual(
      opened.indexes.map(({ digest }) => digest),
      [described.digest],
    );
    return entries.findIndex(({ digest }) => digest === opened.descriptor.digest);
  };
  assert.deepEqual(
    [
      await chosen("linux/amd64"),
      await chosen("linux/arm64"),
      await chosen("linux/arm/v8"),
      await chosen("linux/arm/v6"),
    ],
    [0, 1, 3, 2],
  );
  await assert.rejects(chosen("linux/s390x"), {
    code: "not-found",
    message: /none of its images is for linux\/s390x$/,
  });
});

async function imageFor(layout: OciLayout, platform: Platform): Promise<Descriptor> {
  const source = await manifestOf(image.layout);
  const manifest = JSON.parse(Buffer.from(await image.layout.blobs.readWhole(source)).toString("utf8"));
  for (const layer of image.layers) await layout.blobs.copyFrom(image.layout.blobs, layer);
  const config = await layout.putConfig({ ...platform, rootfs: { type: "layers", diff_ids: [...image.diffIds] } });
  return layout.putManifest({ ...manifest, config });
}

test("errors tell no access, not found and no network apart", async () => {
  const open = (name: string, options = {}) => openImage(parseReference(name), { ...own(), ...options });
  await assert.rejects(open(nameOf("image:t"), { registry: { paths } }), { code: "no-access" });
  await assert.rejects(open(nameOf("image:absent")), { code: "not-found", message: /manifest unknown$/ });
  await assert.rejects(open(nameOf("absent:t")), { code: "not-found" });
  await assert.rejects(open(nameOf(`image@sha256:${"0".repeat(64)}`)), { code: "not-found" });
  await assert.rejects(open("docker://127.0.0.1:1/image:t"), { code: "no-network", message: /ECONNREFUSED/ });
});

test("image pull takes the options of skopeo, and says what went wrong", async () => {
  const path = join(scratch.path, "command");
  (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository[Symbol.dispose]();
  const lines: string[] = [];
  const remarks: string[] = [];
  const output = {
    line: (text: string) => void lines.push(text),
    bytes: async () => {},
    json: () => {},
    remark: (text: string) => void remarks.push(text),
  };
  const registriesConf = join(scratch.path, "registries.conf");
  await writeFile(registriesConf, `[[registry]]\nprefix = "moved.example"\nlocation = "${registry.host}"\n`);
  const authFile = join(scratch.path, "auth.json");
  const auth = Buffer.from(`${LOGIN.userName}:${LOGIN.password}`).toString("base64");
  await writeFile(authFile, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  const pull = (...words: string[]) =>
    main(["image", "pull", "-q", "--repo", path, "--insecure-policy", ...words, "x"], output);
  const options = ["--registries-conf", registriesConf, "--authfile", authFile];
  assert.equal(await pull(...options, "docker://moved.example/image:t"), 0, remarks.join("\n"));
  assert.equal(lines[0], `manifest ${(await manifestOf(image.layout)).digest}`);
  assert.equal(await pull("--creds", `${LOGIN.userName}:${LOGIN.password}`, nameOf("image:t")), 0);
  assert.equal(await pull("--creds", `${LOGIN.userName}:wrong`, nameOf("image:t")), 1);
  assert.match(
    remarks.join("\n"),
    /status 401: authentication required\n {2}during: {3}read image\n {2}found: {4}401\n {2}log in with podman login/,
  );
  assert.equal(await pull("--creds", "nobody", nameOf("image:t")), 2);
  assert.equal(await pull("--platform", "linux", nameOf("image:t")), 2);
  assert.equal(await pull("--tls-verify=true", nameOf("image:t")), 1);
});
