import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { SealrootError } from "../../../src/errors/index.ts";
import { openImage } from "../../../src/images/index.ts";
import {
  type Descriptor,
  digestOf,
  documentBytes,
  formatReference,
  type ImageConfig,
  type ImageManifest,
  MEDIA_TYPE,
  OciLayout,
  parseReference,
  putLayer,
} from "../../../src/oci/index.ts";
import { END_OF_ARCHIVE } from "../../../src/tar/index.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";

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
  const image = await openImage({ transport: "oci", path: layout.directory, tag }, { platform });
  await image.close();
  return image;
}

test("references: other directories and archives", () => {
  const cases: [string, string, string, string | undefined][] = [
    ["dir:/a:b", "dir", "/a:b", undefined],
    ["docker-archive:/x.tar", "docker-archive", "/x.tar", undefined],
    ["docker-archive:/x.tar:docker.io/library/a:1", "docker-archive", "/x.tar", "docker.io/library/a:1"],
  ];
  for (const [text, transport, path, tag] of cases) {
    assert.deepEqual(parseReference(text), { transport, path, tag });
    assert.equal(formatReference(parseReference(text)), text);
  }
});

test("references: an image in a registry has a host, a path, and a tag or a digest", () => {
  const digest = `sha256:${"0a".repeat(32)}`;
  const cases: [string, string, string, string | undefined, string | undefined][] = [
    ["docker://quay.io/a/b:v1", "quay.io", "a/b", "v1", undefined],
    ["docker://quay.io/a/b", "quay.io", "a/b", "latest", undefined],
    ["docker://localhost/a", "localhost", "a", "latest", undefined],
    ["docker://localhost:5000/a:b", "localhost:5000", "a", "b", undefined],
    [`docker://[::1]:5000/a@${digest}`, "[::1]:5000", "a", undefined, digest],
    [`docker://docker.io/library/debian:13@${digest}`, "docker.io", "library/debian", "13", digest],
  ];
  for (const [text, host, repository, tag, expected] of cases) {
    const reference = parseReference(text);
    assert.deepEqual(reference, { transport: "docker", host, repository, tag, digest: expected });
    assert.deepEqual(parseReference(formatReference(reference)), reference);
  }
});

test("references: an image in podman's store", () => {
  const bare = { transport: "containers-storage", store: undefined, image: "quay.io/a:b" };
  assert.deepEqual(parseReference("containers-storage:quay.io/a:b"), bare);
  const text = "containers-storage:[overlay@/var/store+/run]localhost/a";
  const named = { transport: "containers-storage", store: "overlay@/var/store+/run", image: "localhost/a" };
  assert.deepEqual(parseReference(text), named);
  assert.equal(formatReference(parseReference(text)), text);
});

test("references: what cannot be meant is refused, with the way out", () => {
  const hintFor = (text: string) => {
    try {
      parseReference(text);
    } catch (error) {
      return [(error as SealrootError).code, (error as SealrootError).data.hint];
    }
    return undefined;
  };
  assert.deepEqual(hintFor("docker://debian"), ["usage", "write docker://docker.io/library/debian"]);
  assert.deepEqual(hintFor("docker://fedora/bootc:42"), ["usage", "write docker://docker.io/fedora/bootc:42"]);
  assert.deepEqual(hintFor("docker:quay.io/a"), ["usage", "write docker://quay.io/a"]);
  assert.deepEqual(hintFor("docker:debian"), ["usage", "write docker://docker.io/library/debian"]);
  assert.deepEqual(hintFor("docker://"), ["usage", "write docker://HOST/NAME[:TAG]"]);
  for (const [text, hint] of [
    ["debian:13", "docker://docker.io/library/debian:13, or oci:DIRECTORY[:TAG] for a layout"],
    ["quay.io/a:1", "docker://quay.io/a:1, or oci:DIRECTORY[:TAG] for a layout"],
    ["https://quay.io/a", "docker://quay.io/a, or oci:DIRECTORY[:TAG] for a layout"],
    ["./debian", "oci:./debian, or oci-archive:, docker-archive: or dir: before the path"],
  ] as const) {
    assert.deepEqual(hintFor(text), ["usage", `write ${hint}`]);
  }
  assert.deepEqual(hintFor("registry:quay.io/a"), ["unsupported", "write docker://quay.io/a"]);
  for (const host of ["localhost:99999", "256.1.1.1", "1.2.3.4.5:80", "[::g]", "[::1]:70000", "a.b:", "a.b:x"]) {
    assert.throws(() => parseReference(`docker://${host}/app:1`), {
      code: "usage",
      message: `Cannot open image "docker://${host}/app:1": "${host}" is not a host`,
    });
  }
  const wrong = ["docker://quay.io/A", "docker://quay.io/a:", "docker://quay.io/a@sha256:1", "docker://a..b:x/y"];
  for (const text of [...wrong, "quay.io/a", "oci:", "dir:", "containers-storage:", ""]) {
    assert.equal(hintFor(text)?.[0], "usage", text);
  }
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
    data: {
      expected: "linux/s390x",
      actual: "linux/amd64, linux/arm64",
      hint: "there are linux/amd64, linux/arm64; choose one with --platform linux/amd64",
    },
  });
});

test("the platforms that an index has are told without reading its images, and attestations are none", async () => {
  const layout = await newLayout("platforms of an index");
  const [amd, arm] = [await addImage(layout, "amd"), await addImage(layout, "arm", ARM64)];
  const absent = (character: string) => `sha256:${character.repeat(64)}`;
  const attestation = { ...amd, digest: absent("1"), platform: { os: "unknown", architecture: "unknown" } };
  const entries = [
    { ...amd, digest: absent("2"), platform: AMD64 },
    { ...amd, digest: absent("3"), platform: { os: "linux", architecture: "arm", variant: "v7" } },
    attestation,
  ];
  await setIndex(layout, [await putIndex(layout, entries)]);
  await assert.rejects(opened(layout, undefined, { os: "linux", architecture: "s390x" }), {
    code: "not-found",
    message: `Cannot open image oci:${layout.directory}: none of its images is for linux/s390x`,
    data: {
      expected: "linux/s390x",
      actual: "linux/amd64, linux/arm/v7",
      hint: "there are linux/amd64, linux/arm/v7; choose one with --platform linux/amd64",
    },
  });
  // A single image is taken whatever its platform, also beside its attestation.
  await setIndex(layout, [await putIndex(layout, [{ ...arm, platform: ARM64 }, attestation])]);
  assert.equal((await opened(layout)).descriptor.digest, arm.digest);
  await setIndex(layout, [await putIndex(layout, [attestation])]);
  await assert.rejects(opened(layout), {
    code: "not-found",
    data: { expected: "linux/amd64", actual: "(none)", hint: "there are none" },
  });
});

test("where no tag tells two images apart, the hint is what does, or there is none", async () => {
  const layout = await newLayout("doubles");
  const [one, two] = [await addImage(layout, "one"), await addImage(layout, "two")];
  await setIndex(layout, [await putIndex(layout, [one, two])]);
  await assert.rejects(opened(layout), {
    code: "usage",
    message: `Cannot open image oci:${layout.directory}: it is one of 2`,
    data: { path: layout.directory },
  });
  const tag = (name: string) => ({ "org.opencontainers.image.ref.name": name });
  await setIndex(layout, [
    { ...one, annotations: tag("t") },
    { ...two, annotations: tag("t") },
  ]);
  await assert.rejects(opened(layout, "t"), { data: { path: layout.directory, hint: "name one by its tag: @0, @1" } });
  assert.equal((await opened(layout, "@1")).descriptor.digest, two.digest);
  await assert.rejects(opened(layout, "@2"), { code: "not-found" });
});

test("image indexes are entered, a few levels deep; blobs of other platforms may be absent", async () => {
  const layout = await newLayout("index");
  const amd = await addImage(layout, "amd");
  const absent = { ...amd, digest: `sha256:${"1".repeat(64)}`, platform: ARM64 };
  const index = await putIndex(layout, [absent, { ...amd, platform: AMD64 }]);
  await setIndex(layout, [index]);
  assert.equal((await opened(layout)).descriptor.digest, amd.digest);
  let nested = index;
  for (let depth = 1; depth < 4; depth++) nested = await putIndex(layout, [nested]);
  await setIndex(layout, [nested]);
  const image = await opened(layout);
  assert.equal(image.descriptor.digest, amd.digest);
  assert.deepEqual([image.indexes.length, image.indexes[0]?.digest], [4, nested.digest]);
  await setIndex(layout, [await putIndex(layout, [nested])]);
  await assert.rejects(opened(layout), { code: "unsupported", message: /it is nested more than 4 deep$/ });
  const many = Array.from({ length: 129 }, (_, size) => ({ ...amd, size }));
  await setIndex(layout, [await putIndex(layout, many)]);
  await assert.rejects(opened(layout), { code: "unsupported", message: /more than 128 of its images may be meant$/ });
});

test("of an index the best variant is taken, zstd before gzip, entries without a platform last", async () => {
  const layout = await newLayout("variants");
  const none = await addImage(layout, "none", { os: "linux", architecture: "arm" });
  const platform = (variant?: string) => ({ os: "linux", architecture: "arm", ...(variant && { variant }) });
  const entries: Descriptor[] = [{ ...none, platform: platform() }];
  for (const variant of ["v5", "v6", "v7", "v8"]) {
    entries.push({ ...(await addImage(layout, variant, platform(variant))), platform: platform(variant) });
  }
  const [, v5, v6, v7] = entries;
  assert.ok(v5 !== undefined && v6 !== undefined && v7 !== undefined);
  const zstd = { ...(await addImage(layout, "v6 zstd", platform("v6"))), platform: platform("v6") };
  const annotations = { "io.github.containers.compression.zstd": "true" };
  const { platform: _, ...bare } = v7;
  const chosen = async (variant: string | undefined, ...listed: readonly Descriptor[]) => {
    await setIndex(layout, [await putIndex(layout, listed)]);
    const { descriptor } = await opened(layout, undefined, platform(variant));
    return [...entries, zstd].findIndex(({ digest }) => digest === descriptor.digest);
  };
  assert.equal(await chosen(undefined, ...entries.toReversed()), 0);
  assert.equal(await chosen("v7", ...entries), 3);
  assert.equal(await chosen("v7", ...entries.filter((entry) => entry !== v7)), 2);
  assert.equal(await chosen("v6", v6, zstd), 2);
  assert.equal(await chosen("v6", v6, { ...zstd, annotations }), 5);
  assert.equal(await chosen("v6", bare, v5), 1);
  assert.equal(await chosen("v6", bare, { ...none, platform: { os: "unknown", architecture: "unknown" } }), 3);
  await setIndex(layout, [await putIndex(layout, entries.slice(2))]);
  await assert.rejects(opened(layout, undefined, platform("v5")), {
    code: "not-found",
    message: /none of its images is for linux\/arm\/v5$/,
    data: {
      expected: "linux/arm/v5",
      actual: "linux/arm/v6, linux/arm/v7, linux/arm/v8",
      hint: "there are linux/arm/v6, linux/arm/v7, linux/arm/v8; choose one with --platform linux/arm/v6",
    },
  });
});

test("a compressed archive of a layout is refused in the words of docker's", async () => {
  const layout = await newLayout("compressed");
  await addImage(layout, "v");
  for (const [compression, option] of [
    ["gzip", "-z"],
    ["zstd", "--zstd"],
  ] as const) {
    const archive = join(scratch.path, `image.${compression}`);
    execFileSync("tar", [option, "-cf", archive, "-C", layout.directory, "."]);
    await assert.rejects(openImage(parseReference(`oci-archive:${archive}:v`)), {
      code: "unsupported",
      message: `Cannot open OCI archive ${archive}: it is compressed (${compression}), and members are read in place`,
      data: { path: archive, hint: `decompress it first: ${compression} -d` },
    });
  }
});

test("an archive of a layout opens as the layout does", async () => {
  const layout = await newLayout("archived");
  const image = await addImage(layout, "v");
  const archive = join(scratch.path, "image.tar");
  execFileSync("tar", ["-cf", archive, "-C", layout.directory, "."]);
  const fromArchive = await openImage(parseReference(`oci-archive:${archive}:v`), { platform: AMD64 });
  assert.equal(fromArchive.descriptor.digest, image.digest);
  const [layer] = fromArchive.manifest.layers;
  assert.ok(layer);
  const parts: Uint8Array[] = [];
  for await (const part of fromArchive.blobs.read(layer)) parts.push(Buffer.from(part));
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

test("a manifest of the first Docker schema is refused with the way to convert it", async () => {
  const layout = await newLayout("docker-1");
  const good = await addImage(layout, "v");
  await setIndex(layout, [{ ...good, mediaType: "application/vnd.docker.distribution.manifest.v1+prettyjws" }]);
  await assert.rejects(opened(layout), {
    code: "unsupported",
    message: /is not an OCI manifest$/,
    data: { hint: "copy it with skopeo copy --format oci" },
  });
});

test("an image with Docker's list and manifest is opened as the OCI image it amounts to", async () => {
  const layout = await newLayout("docker-2");
  const oci = await opened(layout, (await addImage(layout, "v")).annotations?.["org.opencontainers.image.ref.name"]);
  const docker = {
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: { ...oci.manifest.config, mediaType: "application/vnd.docker.container.image.v1+json" },
    layers: oci.manifest.layers.map((layer) => ({
      ...layer,
      mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    })),
  };
  const manifest = { mediaType: docker.mediaType, ...(await layout.blobs.put(documentBytes(docker))) };
  const listType = "application/vnd.docker.distribution.manifest.list.v2+json";
  const list = { schemaVersion: 2, mediaType: listType, manifests: [{ ...manifest, platform: AMD64 }] };
  await setIndex(layout, [{ mediaType: listType, ...(await layout.blobs.put(documentBytes(list))) }]);
  const image = await opened(layout);
  assert.deepEqual(image.manifest, oci.manifest);
  assert.deepEqual(image.configBytes, oci.configBytes);
  assert.equal(image.descriptor.digest, digestOf(image.manifestBytes));
  assert.equal(image.descriptor.size, image.manifestBytes.length);
  assert.equal(image.descriptor.mediaType, MEDIA_TYPE.manifest);
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

test("a document that is a manifest to one reader and an index to another is neither", async () => {
  const layout = await newLayout("ambiguous");
  const plain = await addImage(layout, "plain");
  const other = await addImage(layout, "other", AMD64, { manifests: [plain] } as unknown as Partial<ImageManifest>);
  await assert.rejects(opened(layout, "other"), { code: "corrupt", message: /: manifests: makes it ambiguous/ });
  const index = documentBytes({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [plain], layers: [] });
  await setIndex(layout, [{ mediaType: MEDIA_TYPE.index, ...(await layout.blobs.put(index)) }, other]);
  await assert.rejects(opened(layout), { code: "corrupt", message: /: layers: makes it ambiguous/ });
});

test("images that may be meant are not read without end", async () => {
  const layout = await newLayout("large-documents");
  const { descriptor, diffId } = await putLayer(layout, emptyTar(), { compression: "gzip" });
  for (let number = 0; number < 5; number++) {
    const author = `${number}`.padEnd(8_000_000, "x");
    const config = await layout.putConfig({ ...AMD64, rootfs: { type: "layers", diff_ids: [diffId] }, author });
    await layout.putManifest({ schemaVersion: 2, config, layers: [descriptor] });
  }
  await assert.rejects(opened(layout), { code: "unsupported", message: /of its images exceed 33554432 bytes$/ });
});
