import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { copySignatures, sharedPlace } from "../../../src/images/copy/copy-signatures.ts";
import { copyAllImages, copyImage, openDestination, openImage } from "../../../src/images/index.ts";
import { openSource } from "../../../src/images/sources/open-source.ts";
import {
  digestOf,
  documentBytes,
  type ImageReference,
  MEDIA_TYPE,
  OciLayout,
  parseReference,
} from "../../../src/oci/index.ts";
import { outOfLayer } from "../../imagestore/layer-prefix.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import { filesIn, type MadeImage, makeImage, noise, tool } from "./images.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let image: MadeImage;
let source: ImageReference;
const at = (name: string) => join(scratch.path, name);
before(async () => {
  scratch = await scratchDirectory();
  image = await makeImage(at("source"));
  source = parseReference(`oci:${at("source")}:v1`);
});
after(() => scratch.remove());

const AMD64 = { os: "linux", architecture: "amd64" };

async function sha256OfFile(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

async function digestAt(reference: string): Promise<string> {
  const opened = await openImage(parseReference(reference), { platform: AMD64 });
  for (const layer of opened.manifest.layers) for await (const _ of opened.blobs.read(layer));
  await opened.close();
  return opened.descriptor.digest;
}

/** The digest that skopeo computes of the manifest there. */
function skopeoDigest(reference: string): string {
  return `sha256:${createHash("sha256")
    .update(tool("skopeo", "inspect", "--raw", reference))
    .digest("hex")}`;
}

test("copyImage() keeps manifest and blobs byte for byte, and skopeo sees the same digest", async () => {
  const cases = [`oci:${at("copy-layout")}:v1`, `oci-archive:${at("copy.tar")}:v1`, `dir:${at("copy-dir")}`];
  for (const target of cases) {
    const written = await copyImage(source, parseReference(target), { platform: AMD64 });
    assert.equal(written.descriptor.digest, image.descriptor.digest);
    assert.equal(written.sourceDigest, image.descriptor.digest);
    assert.equal(skopeoDigest(target), image.descriptor.digest, target);
    // skopeo checks every blob on the way.
    tool("skopeo", "copy", "-q", "--preserve-digests", target, `dir:${at("judged")}`);
  }
  for (const target of cases.slice(0, 2)) assert.equal(await digestAt(target), image.descriptor.digest);
});

test("an OCI archive is the same bytes every time, and members have no owner and no time", async () => {
  for (const name of ["a.tar", "b.tar"]) await copyImage(source, parseReference(`oci-archive:${at(name)}:v1`));
  assert.deepEqual(await readFile(at("a.tar")), await readFile(at("b.tar")));
  const listed = tool("tar", "--utc", "--numeric-owner", "-tvf", at("a.tar")).trimEnd().split("\n");
  const names = [...image.manifest.layers, image.manifest.config, image.descriptor];
  const expected = ["blobs/", "blobs/sha256/", ...names.map((blob) => `blobs/sha256/${blob.digest.slice(7)}`)];
  assert.deepEqual(
    listed.map((line) => line.split(/\s+/).at(-1)),
    [...expected, "index.json", "oci-layout"],
  );
  for (const line of listed) assert.match(line, /^[-d]rw.r.xr.x|^-rw-r--r-- 0\/0 +\d+ 1970-01-01 00:00/);
  assert.equal((await readdir(scratch.path)).filter((name) => name.startsWith(".")).length, 0);
});

test("an image directory is what skopeo writes", async () => {
  tool("skopeo", "copy", "-q", "--preserve-digests", `oci:${at("source")}:v1`, `dir:${at("by-skopeo")}`);
  await copyImage(source, parseReference(`dir:${at("by-us")}`));
  assert.deepEqual(await filesIn(at("by-us")), await filesIn(at("by-skopeo")));
});

test("an image directory takes the place of an earlier one, and of nothing else", async () => {
  const other = await makeImage(at("other"), { contents: ["three"] });
  const target = parseReference(`dir:${at("replaced")}`);
  await copyImage(source, target);
  await copyImage(parseReference(`oci:${other.layout.directory}:v1`), target);
  const names = (await readdir(at("replaced"))).sort();
  const blobs = [...other.manifest.layers, other.manifest.config].map((blob) => blob.digest.slice(7));
  assert.deepEqual(names, [...blobs, "manifest.json", "version"].sort());
  await mkdir(at("occupied"));
  await writeFile(at("occupied/file"), "x");
  await assert.rejects(copyImage(source, parseReference(`dir:${at("occupied")}`)), {
    code: "exists",
    message: `Cannot write image directory: ${at("occupied")} holds something else`,
  });
  assert.deepEqual(await readdir(at("occupied")), ["file"]);
});

test("layouts on one file system share the blobs", async () => {
  await copyImage(source, parseReference(`oci:${at("linked")}:other`));
  const [layer] = image.manifest.layers;
  assert.ok(layer);
  const linked = await OciLayout.open(at("linked"));
  const inode = async (layout: OciLayout) => (await stat(layout.blobs.pathOf(layer.digest))).ino;
  assert.equal(await inode(linked), await inode(image.layout));
  const entries = (await linked.readIndex()).manifests;
  assert.deepEqual(entries, [{ ...image.descriptor, annotations: { "org.opencontainers.image.ref.name": "other" } }]);
});

test("copyImage() packs layers in another way when asked: same configuration, another manifest", async () => {
  const target = `oci:${at("packed")}:v1`;
  for (const packing of ["zstd", "none", "gzip"] as const) {
    const written = await copyImage(source, parseReference(target), { packing, platform: AMD64 });
    const opened = await openImage(parseReference(target), { platform: AMD64 });
    const suffix = packing === "none" ? "" : `+${packing}`;
    for (const layer of opened.manifest.layers) {
      assert.equal(layer.mediaType, `application/vnd.oci.image.layer.v1.tar${suffix}`);
    }
    assert.equal(written.descriptor.digest, opened.descriptor.digest);
    assert.deepEqual(opened.manifest.config, image.manifest.config);
    assert.deepEqual(opened.manifest.annotations, image.manifest.annotations);
    // The source is gzip already.
    assert.equal(written.descriptor.digest === image.descriptor.digest, packing === "gzip");
    tool("skopeo", "copy", "-q", target, `oci:${at(`unpacked-${packing}`)}:v1`);
  }
  await assert.rejects(copyImage(source, parseReference(target), { packing: "zstd", preserveDigests: true }), {
    code: "conflict",
    message: `Cannot write image ${image.descriptor.digest}: its manifest has to be another one, with another digest`,
  });
});

async function makeIndex() {
  const layout = await OciLayout.create(at("many"));
  const images = [];
  for (const architecture of ["amd64", "arm64"]) {
    images.push(await makeImage(at("many"), { architecture, tag: architecture, contents: ["shared", architecture] }));
  }
  const manifests = images.map(({ descriptor }) => descriptor);
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }));
  const descriptor = { mediaType: MEDIA_TYPE.index, ...(await layout.blobs.put(bytes)) };
  await layout.enter(descriptor, "all");
  return { images, descriptor };
}

test("copyAllImages() copies an index with all its images, as they are", async () => {
  const { images, descriptor } = await makeIndex();
  const reference = parseReference(`oci:${at("many")}:all`);
  for (const target of [`oci:${at("all")}:v1`, `oci-archive:${at("all.tar")}:v1`, `dir:${at("all-dir")}`]) {
    const written = await copyAllImages(reference, parseReference(target));
    assert.equal(written.digest, descriptor.digest);
    assert.equal(skopeoDigest(target), descriptor.digest);
    tool("skopeo", "copy", "-q", "--all", "--preserve-digests", target, `dir:${at("all-judged")}`);
  }
  const names = await readdir(at("all-dir"));
  for (const { descriptor: one } of images) assert.ok(names.includes(`${one.digest.slice(7)}.manifest.json`));
  const one = await copyImage(reference, parseReference(`dir:${at("one")}`), {
    platform: { os: "linux", architecture: "arm64" },
  });
  assert.equal(one.descriptor.digest, images[1]?.descriptor.digest);
  await assert.rejects(copyAllImages(parseReference(`oci:${at("many")}`), parseReference(`dir:${at("none")}`)), {
    code: "usage",
    message: `Cannot copy oci:${at("many")}: it names 3 images`,
  });
});

test("an image with a Docker manifest gets an OCI one, or stays unchanged with --all", async () => {
  tool("skopeo", "copy", "-q", "--format", "v2s2", `oci:${at("source")}:v1`, `dir:${at("docker")}`);
  const docker = parseReference(`dir:${at("docker")}`);
  const dockerDigest = skopeoDigest(`dir:${at("docker")}`);
  const written = await copyImage(docker, parseReference(`oci:${at("of-docker")}:v1`));
  assert.equal(written.sourceDigest, dockerDigest);
  assert.equal(skopeoDigest(`oci:${at("of-docker")}:v1`), written.descriptor.digest);
  tool("skopeo", "copy", "-q", "--preserve-digests", `oci:${at("of-docker")}:v1`, `dir:${at("of-docker-judged")}`);
  await assert.rejects(copyImage(docker, parseReference(`dir:${at("kept")}`), { preserveDigests: true }), {
    code: "conflict",
    message: `Cannot write image ${dockerDigest}: its manifest has to be another one, with another digest`,
  });
  const kept = await copyAllImages(docker, parseReference(`dir:${at("kept")}`));
  assert.equal(kept.digest, dockerDigest);
  assert.deepEqual(await filesIn(at("kept")), await filesIn(at("docker")));
});

test("a wrong blob leaves nothing, whatever the destination", async () => {
  const broken = await makeImage(at("broken"), { contents: ["first", "second"] });
  const last = broken.manifest.layers.at(-1);
  assert.ok(last);
  const path = broken.layout.blobs.pathOf(last.digest);
  await writeFile(path, Buffer.concat([(await readFile(path)).subarray(0, -1), Buffer.from([1])]));
  const actual = `sha256:${await sha256OfFile(path)}`;
  await mkdir(at("empty"));
  await copyImage(source, parseReference(`dir:${at("earlier-dir")}`));
  await copyImage(source, parseReference(`oci-archive:${at("earlier.tar")}`));
  const before = [...(await filesIn(scratch.path)).keys()];
  const targets = [
    ...[`oci:${at("no-layout")}:v1`, `oci:${at("empty")}:v1`, `oci-archive:${at("no.tar")}`, `dir:${at("no-dir")}`],
    ...[`oci-archive:${at("earlier.tar")}`, `dir:${at("earlier-dir")}`],
  ];
  for (const target of targets) {
    const message = `Cannot accept blob ${path}: its digest is ${actual}, expected ${last.digest}`;
    await assert.rejects(
      copyImage(parseReference(`oci:${at("broken")}:v1`), parseReference(target)),
      outOfLayer({ code: "corrupt", message }),
    );
  }
  assert.deepEqual([...(await filesIn(scratch.path)).keys()], before);
  assert.equal(skopeoDigest(`oci-archive:${at("earlier.tar")}`), image.descriptor.digest);
});

test("a destination takes blobs without a name, and refuses those that do not have theirs", async () => {
  const bytes = noise("unnamed", 3000);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const parts = async function* () {
    yield bytes.subarray(0, 1000);
    yield bytes.subarray(1000);
  };
  for (const target of [`oci:${at("unnamed")}`, `oci-archive:${at("unnamed.tar")}`, `dir:${at("unnamed-dir")}`]) {
    const destination = await openDestination(parseReference(target));
    assert.equal(await destination.hasBlob({ digest, size: 3000 }), false);
    assert.deepEqual(await destination.putBlob({ name: undefined, open: parts }), {
      digest,
      size: 3000,
      sentBytes: 3000,
    });
    assert.equal(await destination.hasBlob({ digest, size: 3000 }), true);
    const wrong = { digest: `sha256:${"1".repeat(64)}`, size: 3000 };
    await assert.rejects(destination.putBlob({ name: wrong, open: parts }), { code: "corrupt" });
    await destination.abort();
  }
});

test("what is only read is not written", async () => {
  await assert.rejects(openDestination(parseReference("docker-archive:x.tar")), {
    code: "unsupported",
    message: "Cannot write image docker-archive:x.tar: transport docker-archive: is only read",
  });
  // Before the source is opened: reading it may take long.
  const nowhere = parseReference(`oci:${join(scratch.path, "nowhere")}:t`);
  await assert.rejects(copyImage(nowhere, parseReference("docker-archive:x.tar")), { code: "unsupported" });
});

test("copyAllImages() copies what an index lists twice once, and not more than 1024 manifests", async () => {
  const layout = await OciLayout.create(at("wide"));
  const putIndex = async (manifests: readonly object[], name: string) => {
    const bytes = documentBytes({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests, annotations: { name } });
    const blob = { mediaType: MEDIA_TYPE.index, digest: digestOf(bytes), size: bytes.length };
    await writeFile(layout.blobs.pathOf(blob.digest), bytes);
    return blob;
  };
  const empty = await putIndex([], "empty");
  await layout.enter(await putIndex(Array(2000).fill(empty), "same"), "same");
  const same = await copyAllImages(parseReference(`oci:${at("wide")}:same`), parseReference(`dir:${at("same")}`));
  assert.equal(skopeoDigest(`dir:${at("same")}`), same.digest);
  const digestOfNumber = (number: number) => `sha256:${number.toString(16).padStart(64, "0")}`;
  const others = Array.from({ length: 1024 }, (_, number) => ({ ...empty, digest: digestOfNumber(number) }));
  await layout.enter(await putIndex(others, "others"), "others");
  await assert.rejects(
    copyAllImages(parseReference(`oci:${at("wide")}:others`), parseReference(`dir:${at("wide-copy")}`)),
    { code: "unsupported", message: "Cannot copy all images: there are more than 1024" },
  );
});

test("copySignatures() gives up what refers to an image more than a thousand times", async () => {
  const digest = `sha256:${"7".repeat(64)}`;
  const referrers = Array.from({ length: 1025 }, () => ({ mediaType: "m", digest, size: 1 }));
  const opened = await openSource(source);
  assert.ok(opened.signatures);
  const signatures = { ...opened.signatures, fetchTagged: async () => undefined, listReferrers: async () => referrers };
  const target = sharedPlace(parseReference(`oci:${at("referrers")}:v1`));
  await assert.rejects(copySignatures({ ...opened, signatures }, [digest], target, {}), {
    code: "unsupported",
    message: `Cannot copy what refers to ${digest}: there are more than 1024`,
  });
});
