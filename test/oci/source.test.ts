import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { SealrootError } from "../../src/errors/index.ts";
import {
  type Descriptor,
  documentBytes,
  formatReference,
  type ImageConfig,
  type ImageManifest,
  MEDIA_TYPE,
  OciLayout,
  openImage,
  parseReference,
  putLayer,
} from "../../src/oci/index.ts";
import { END_OF_ARCHIVE } from "../../src/tar/index.ts";
import { scratchDirectory } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

const AMD64 = { os: "linux", architecture: "amd64" };
const ARM64 = { os: "linux", architecture: "arm64" };

async function* emptyTar() {
  yield END_OF_ARCHIVE;
}

async function newLayout(name: string): Promise<OciLayout> {
  return OciLayout.create(join(scratch.path, name));
}

/** Stores an image of nothing; the tag makes it differ from others. */
async function addImage(layout: OciLayout, tag: string, platform = AMD64, change: Partial<ImageManifest> = {}) {
  const layer = await putLayer(layout, emptyTar(), { compression: "gzip" });
  const config: ImageConfig = { ...platform, rootfs: { type: "layers", diff_ids: [layer.diffId] }, author: tag };
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await layout.putConfig(config),
    layers: [layer.descriptor],
    ...change,
  };
  return layout.putManifest(manifest, { tag });
}

async function setIndex(layout: OciLayout, manifests: readonly Descriptor[]): Promise<void> {
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests };
  await writeFile(join(layout.directory, "index.json"), documentBytes(index));
}

/** Stores an image index as a blob. */
async function putIndex(layout: OciLayout, manifests: readonly Descriptor[]): Promise<Descriptor> {
  const blob = await layout.blobs.put(documentBytes({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }));
  return { mediaType: MEDIA_TYPE.index, ...blob };
}

async function opened(layout: OciLayout, tag?: string, platform = AMD64) {
  const image = await openImage({ transport: "oci", path: layout.directory, tag }, platform);
  await image.close();
  return image;
}

test("references: the tag is what follows the last colon, unless it contains a slash", () => {
  const cases: [string, string, string | undefined][] = [
    ["oci:dir", "dir", undefined],
    ["oci:dir:tag", "dir", "tag"],
    ["oci:/a:b/c", "/a:b/c", undefined],
    ["oci:/a:b/c:t", "/a:b/c", "t"],
    ["oci:dir:", "dir", undefined],
    ["oci-archive:x.tar:v1.2", "x.tar", "v1.2"],
  ];
  for (const [text, path, tag] of cases) {
    const reference = parseReference(text);
    assert.deepEqual([reference.path, reference.tag], [path, tag], text);
    assert.deepEqual(parseReference(formatReference(reference)), reference);
  }
});

test("references: what is not done here is named, with the way out", () => {
  assert.throws(() => parseReference("docker://quay.io/a:b"), { code: "unsupported" });
  assert.throws(() => parseReference("containers-storage:x"), { code: "unsupported" });
  assert.throws(() => parseReference("quay.io/a"), { code: "usage" });
  assert.throws(() => parseReference("oci:"), { code: "usage" });
});

test("the image is chosen by its tag; without a tag it must be the only one", async () => {
  const layout = await newLayout("tags");
  const one = await addImage(layout, "one");
  assert.equal((await opened(layout)).descriptor.digest, one.digest);
  const two = await addImage(layout, "two");
  assert.equal((await opened(layout, "one")).descriptor.digest, one.digest);
  assert.equal((await opened(layout, "two")).descriptor.digest, two.digest);
  await assert.rejects(opened(layout), {
    code: "usage",
    data: { path: layout.directory, hint: "name one by its tag: one, two" },
  });
  await assert.rejects(opened(layout, "three"), { code: "not-found" });
});

test("of several platforms the asked one is taken, a single image whatever its platform", async () => {
  const layout = await newLayout("platforms");
  const arm = await addImage(layout, "arm", ARM64);
  assert.equal((await opened(layout)).descriptor.digest, arm.digest);
  const amd = await addImage(layout, "amd");
  assert.equal((await opened(layout)).descriptor.digest, amd.digest);
  assert.equal((await opened(layout, undefined, ARM64)).descriptor.digest, arm.digest);
  await assert.rejects(opened(layout, undefined, { os: "linux", architecture: "s390x" }), {
    code: "not-found",
    message: /none of its images is for linux\/s390x$/,
  });
});

test("an image index is entered one level; blobs of other platforms may be absent", async () => {
  const layout = await newLayout("index");
  const amd = await addImage(layout, "amd");
  const absent = { ...amd, digest: `sha256:${"1".repeat(64)}`, platform: ARM64 };
  const index = await putIndex(layout, [absent, { ...amd, platform: AMD64 }]);
  await setIndex(layout, [index]);
  assert.equal((await opened(layout)).descriptor.digest, amd.digest);
  await setIndex(layout, [await putIndex(layout, [index])]);
  await assert.rejects(opened(layout), { code: "unsupported", message: /it contains another index$/ });
});

test("an archive of a layout opens as the layout does", async () => {
  const layout = await newLayout("archived");
  const image = await addImage(layout, "v");
  const archive = join(scratch.path, "image.tar");
  execFileSync("tar", ["-cf", archive, "-C", layout.directory, "."]);
  const fromArchive = await openImage(parseReference(`oci-archive:${archive}:v`), AMD64);
  assert.equal(fromArchive.descriptor.digest, image.digest);
  const [layer] = fromArchive.manifest.layers;
  assert.ok(layer);
  const parts: Uint8Array[] = [];
  for await (const part of fromArchive.blobs.read(layer)) parts.push(part);
  assert.deepEqual(Buffer.concat(parts), await readFile(layout.blobs.pathOf(layer.digest)));
  await fromArchive.close();
});

test("an archive that is none, or cut short, is refused", async () => {
  const path = join(scratch.path, "broken.tar");
  await writeFile(path, Buffer.alloc(700, "x"));
  await assert.rejects(openImage(parseReference(`oci-archive:${path}`)), { code: "corrupt" });
  await assert.rejects(openImage(parseReference(`oci-archive:${scratch.path}/absent`)), { code: "not-found" });
});

test("manifest and configuration must agree on the number of layers", async () => {
  const layout = await newLayout("count");
  await addImage(layout, "v", AMD64, { layers: [] });
  await assert.rejects(opened(layout, "v"), { code: "corrupt", message: /disagree: 0 layers, 1 diff ids$/ });
});

test("documents that are not what they should be are refused with the place", async () => {
  const layout = await newLayout("documents");
  const good = await addImage(layout, "v");
  const cases: [unknown, RegExp][] = [
    ["not json", /^Cannot read image manifest: it is not JSON$/],
    [{ schemaVersion: 1 }, /^Cannot read image manifest: schemaVersion: /],
    [
      { schemaVersion: 2, config: good, layers: [{ ...good, digest: "sha256:short" }] },
      /layers\.0\.digest: is not sha256:<hex>/,
    ],
    [{ schemaVersion: 2, config: good, layers: [{ ...good, size: -1 }] }, /layers\.0\.size: /],
    [{ schemaVersion: 2, config: { mediaType: "x" }, layers: [] }, /config\.digest: /],
  ];
  for (const [document, message] of cases) {
    const bytes = typeof document === "string" ? Buffer.from(document) : documentBytes(document as object);
    await setIndex(layout, [{ mediaType: MEDIA_TYPE.manifest, ...(await layout.blobs.put(bytes)) }]);
    await assert.rejects(opened(layout), (error: SealrootError) => {
      assert.equal(error.code, "corrupt");
      assert.match(error.message, message);
      return true;
    });
  }
});

test("null means absent, as Go programs write it", async () => {
  const layout = await newLayout("null");
  const layer = await putLayer(layout, emptyTar(), { compression: "gzip" });
  const config = {
    ...AMD64,
    rootfs: { type: "layers", diff_ids: [layer.diffId] },
    history: null,
    config: { Labels: null },
  };
  const manifest = {
    schemaVersion: 2,
    config: { mediaType: MEDIA_TYPE.config, ...(await layout.blobs.put(documentBytes(config))), annotations: null },
    layers: [layer.descriptor],
    annotations: null,
  };
  await setIndex(layout, [{ mediaType: MEDIA_TYPE.manifest, ...(await layout.blobs.put(documentBytes(manifest))) }]);
  assert.deepEqual((await opened(layout)).config?.config, {});
});

test("a docker manifest is refused with the way to convert it", async () => {
  const layout = await newLayout("docker");
  const good = await addImage(layout, "v");
  await setIndex(layout, [{ ...good, mediaType: "application/vnd.docker.distribution.manifest.v2+json" }]);
  await assert.rejects(opened(layout), { code: "unsupported", message: /is not an OCI manifest$/ });
});

test("a manifest whose bytes do not have the digest of its descriptor is refused", async () => {
  const layout = await newLayout("forged");
  const good = await addImage(layout, "v");
  const path = layout.blobs.pathOf(good.digest);
  const bytes = await readFile(path, "utf8");
  await writeFile(path, bytes.replace('"schemaVersion":2', '"schemaVersion":3'));
  await assert.rejects(opened(layout), { code: "corrupt", message: /its digest is sha256:/ });
});

test("an empty layout is said to be empty", async () => {
  const layout = await newLayout("empty");
  await assert.rejects(opened(layout), { code: "not-found", message: /: it is empty$/ });
  await mkdir(join(scratch.path, "plain"));
  await assert.rejects(openImage(parseReference(`oci:${scratch.path}/plain`)), { code: "not-found" });
});
