import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readlinkSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import { openImage } from "../../src/images/index.ts";
import {
  computeImageId,
  findImage,
  imageTree,
  layerStreamName,
  listImages,
  pullImage,
  untagImage,
} from "../../src/imagestore/index.ts";
import { documentBytes, MEDIA_TYPE, OciLayout, parseReference, putLayer } from "../../src/oci/index.ts";
import { decompressLayer } from "../../src/oci/layer-compression.ts";
import { type ErofsVersion, initRepository, openRepository, type Repository } from "../../src/repository/index.ts";
import { readChunks, readSplitStream } from "../../src/splitstream/index.ts";
import { type TarEntry, TarParser, writeTar } from "../../src/tar/index.ts";
import { formatDump } from "../../src/tree/index.ts";
import { type VerityAlgorithm, verityDigest } from "../../src/verity/index.ts";
import { block, pax, record } from "../tar/blocks.ts";
import { imageOfTars } from "./hand-made.ts";
import { type ExpectedRun, type ListedFile, readVectors, scratchDirectory, unpack, type Vector } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
const oldMask = process.umask(0o022);
before(async () => {
  scratch = await scratchDirectory();
});
after(async () => {
  process.umask(oldMask);
  await scratch.remove();
});

const vectors = await readVectors();
const RUNS = ["sha256-v1", "sha256-v2", "sha512-v1", "sha512-v2"];
/** Wrongly refused by the reference; they reach the ids of the ordinary layer. */
const MUST_EQUAL_13 = ["28-multi-member-gzip", "29-multi-frame-zstd"];
const PLAIN = { bootable: false, keepUserXattrs: false };

async function newRepository(name: string, run: string): Promise<Repository> {
  const [algorithm, version] = run.split("-v") as [VerityAlgorithm, string];
  const erofsVersion = Number(version) as ErofsVersion;
  const path = join(scratch.path, `${name}-${run}`);
  return (await initRepository(path, { algorithm, erofsVersion, protection: "insecure" })).repository;
}

/** An image of the only layer of a layout, its times in PAX records instead of base-256. */
async function withPaxTimes(layout: string, into: string): Promise<string> {
  const image = await openImage(parseReference(`oci:${layout}:t`));
  const parts: Uint8Array[] = [];
  const [layer] = image.manifest.layers;
  assert.ok(layer);
  for await (const part of decompressLayer(image.blobs.read(layer), "gzip")) parts.push(Buffer.from(part));
  await image.close();
  const tar = Buffer.concat(parts);
  const changed: Uint8Array[] = [];
  let start = 0;
  const change = ({ headerOffset, mtimeSeconds }: TarEntry) => {
    if (mtimeSeconds >= 0n) return;
    const zero = block({ 136: "00000000000\0" }, tar.subarray(headerOffset));
    changed.push(tar.subarray(start, headerOffset), pax(record("mtime", String(mtimeSeconds))), zero);
    start = headerOffset + zero.length;
  };
  const parser = new TarParser({ inline: () => {}, body: () => {}, entry: change }, 64);
  parser.push(tar);
  assert.equal(changed.length, 6);
  return imageOfTars(into, [Buffer.concat([...changed, tar.subarray(start)])]);
}

/** The vector's layout, unpacked once. */
async function layoutOf(vector: Vector): Promise<string> {
  const into = join(scratch.path, "layouts", vector.name);
  if (lstatSync(join(into, "layout"), { throwIfNoEntry: false })) return join(into, "layout");
  return unpack(join(vector.directory, "layout.tar.gz"), into, "layout");
}

async function listing(path: string): Promise<ListedFile[]> {
  const names = (await readdir(path, { recursive: true })).sort();
  return names.map((name): ListedFile => {
    const full = join(path, name);
    const stat = lstatSync(full);
    if (stat.isSymbolicLink()) return { path: name, type: "symlink", target: readlinkSync(full) };
    const mode = `0${(stat.mode & 0o7777).toString(8)}`;
    return stat.isDirectory() ? { path: name, type: "dir", mode } : { path: name, type: "file", mode, size: stat.size };
  });
}

/**
 * What must be equal whatever zstd made of the streams: not the objects that are streams, nor where stream names lead;
 * the reference also leaves superseded streams behind.
 */
function comparable(files: readonly ListedFile[]) {
  const streams = new Set(
    files.flatMap(({ path, target }) => (path.startsWith("streams/oci-") && target ? target.replace("../", "") : [])),
  );
  const links = files.filter(({ path }) => !path.startsWith("objects/"));
  return {
    links: links.map((file) => (/^streams\/oci-/.test(file.path) ? { ...file, target: "" } : file)).sort(byPath),
    objects: files.filter(({ path, type }) => type === "file" && path.startsWith("objects/") && !streams.has(path)),
  };
}

function byPath(a: ListedFile, b: ListedFile): number {
  return a.path < b.path ? -1 : 1;
}

function compareListing(actual: readonly ListedFile[], expected: readonly ListedFile[], superseded: number): void {
  const [ours, theirs] = [comparable(actual), comparable(expected)];
  assert.deepEqual(ours.links, theirs.links);
  const theirObjects = new Map(theirs.objects.map((file) => [file.path, file]));
  for (const file of ours.objects) assert.deepEqual(file, theirObjects.get(file.path));
  assert.equal(ours.objects.length, theirs.objects.length - superseded);
  const directories = actual.filter(({ path, type }) => type === "dir" && path.startsWith("objects/"));
  for (const { mode } of directories) assert.equal(mode, "0755");
}

async function catDigest(repository: Repository, entry: string): Promise<string> {
  const hash = createHash("sha256");
  const stream = readSplitStream(repository.objects.read(repository.streams.resolve(entry).objectId));
  await readChunks(stream, {
    inline: (bytes) => hash.update(bytes),
    external: (objectId) => hash.update(repository.objects.read(objectId)),
  });
  return `sha256:${hash.digest("hex")}`;
}

async function compareImage(repository: Repository, vector: Vector, run: string, expected: ExpectedRun): Promise<void> {
  const keep = { bootable: false, keepUserXattrs: true };
  assert.equal(await computeImageId(repository, "case:t", PLAIN), expected.image_id);
  assert.equal(await computeImageId(repository, "case:t", keep), expected.image_id_keep_user_xattrs);
  const image = await findImage(repository, "case:t");
  const key = run.endsWith("v1") ? "composefs.image.v1" : "composefs.image";
  assert.deepEqual([...image.images], [[key, expected.image_id]]);
  const algorithm = run.split("-")[0];
  const dump = readFileSync(join(vector.directory, `rootfs-${algorithm}.dump`), "latin1");
  assert.equal(Buffer.from(formatDump(await imageTree(repository, image, PLAIN))).toString("latin1"), dump);
  for (const diffId of vector.expected.oci.diff_ids) {
    assert.equal(await catDigest(repository, layerStreamName(diffId)), diffId);
  }
}

/** Our boot verdict beside the reference's: the id, or why there is none. */
async function compareBoot(repository: Repository, expected: ExpectedRun): Promise<void> {
  const computed = computeImageId(repository, "case:t", { bootable: true, keepUserXattrs: false });
  if (typeof expected.boot_image_id === "string") assert.equal(await computed, expected.boot_image_id);
  else await assert.rejects(computed, { message: /Directory entry "boot" does not exist/ });
}

for (const vector of vectors.filter(({ name }) => name < "20")) {
  for (const run of RUNS) {
    test(`${vector.name} pulled into a ${run} repository gives what the reference gives`, async () => {
      const expected = vector.expected.runs[run];
      assert.ok(expected);
      using repository = await newRepository(vector.name, run);
      const pulled = await pullImage(repository, `oci:${await layoutOf(vector)}:t`, { name: "case:t" });
      assert.equal(pulled.manifestDigest, vector.expected.oci.manifest);
      assert.equal(pulled.configDigest, vector.expected.oci.config);
      const isImage = expected.image_id !== undefined;
      compareListing(await listing(repository.path), expected.repository_after_pull ?? [], isImage ? 2 : 0);
      const listed = await listImages(repository);
      assert.deepEqual(
        listed.map(({ name }) => name),
        ["case:t"],
      );
      if (isImage) {
        await compareImage(repository, vector, run, expected);
        await compareBoot(repository, expected);
      } else {
        await assert.rejects(computeImageId(repository, "case:t", PLAIN), { code: "unsupported" });
      }
    });
  }
}

test("14-boot-times: the boot image by the older rule is that of cfsctl 0.9.0", async () => {
  const vector = vectors.find(({ name }) => name === "14-boot-times");
  assert.ok(vector);
  const older: { readonly boot_image_ids: Record<string, string> } = JSON.parse(
    readFileSync(join(vector.directory, "seconds-only.json"), "utf8"),
  );
  for (const run of RUNS) {
    const full: unknown = vector.expected.runs[run]?.boot_image_id;
    const seconds = older.boot_image_ids[run];
    // Version 2 holds no nanoseconds.
    assert.equal(full === seconds, run.endsWith("v2"));
    using repository = await newRepository("boot-times", run);
    const pulled = await pullImage(repository, `oci:${await layoutOf(vector)}:t`, {
      name: "case:t",
      bootable: true,
      bootTimes: "seconds",
    });
    assert.deepEqual([...pulled.bootImageIds.values()], [seconds]);
    const variant = { bootable: true, keepUserXattrs: false };
    assert.equal(await computeImageId(repository, "case:t", variant), full);
    assert.equal(await computeImageId(repository, "case:t", { ...variant, bootTimes: "seconds" }), seconds);
  }
});

test("a bootable pull records the boot image, and a later plain pull keeps it", async () => {
  const vector = vectors.find(({ name }) => name === "10-boot-selinux");
  assert.ok(vector);
  for (const run of RUNS) {
    const bootId: unknown = vector.expected.runs[run]?.boot_image_id;
    using repository = await newRepository("bootable", run);
    const reference = `oci:${await layoutOf(vector)}:t`;
    const pulled = await pullImage(repository, reference, { name: "b", bootable: true });
    assert.deepEqual([...pulled.bootImageIds.values()], [bootId]);
    await pullImage(repository, reference, { name: "again" });
    const image = await findImage(repository, "b");
    assert.equal(image.images.get(run.endsWith("v1") ? "composefs.image.boot.v1" : "composefs.image.boot"), bootId);
    assert.equal(typeof bootId === "string" && repository.images.find(bootId), bootId);
  }
});

for (const name of MUST_EQUAL_13) {
  test(`${name} reaches the image of 13, though the reference refuses it`, async () => {
    const vector = vectors.find((candidate) => candidate.name === name);
    const single = vectors.find((candidate) => candidate.name === "13-single-member");
    assert.ok(vector && single);
    for (const run of RUNS) {
      using repository = await newRepository(name, run);
      await pullImage(repository, `oci:${await layoutOf(vector)}:t`, { name: "case:t" });
      assert.equal(await computeImageId(repository, "case:t", PLAIN), single.expected.runs[run]?.image_id);
    }
  });
}

test("24-negative-pax-mtime is read: the file is of the last second of 1969", async () => {
  const vector = vectors.find(({ name }) => name === "24-negative-pax-mtime");
  assert.ok(vector);
  using repository = await newRepository("24-negative-pax-mtime", "sha512-v1");
  await pullImage(repository, `oci:${await layoutOf(vector)}:t`, { name: "case:t" });
  const root = await imageTree(repository, await findImage(repository, "case:t"), PLAIN);
  assert.match(Buffer.from(formatDump(root)).toString(), /^\/usr\/x 1 100644 1 0 0 0 -1\.0 - x -$/m);
});

test("25-sparse is read: the file is one hole", async () => {
  const vector = vectors.find(({ name }) => name === "25-sparse");
  assert.ok(vector);
  using repository = await newRepository("25-sparse", "sha512-v1");
  await pullImage(repository, `oci:${await layoutOf(vector)}:t`, { name: "case:t" });
  const root = await imageTree(repository, await findImage(repository, "case:t"), PLAIN);
  const content = Buffer.alloc(1000);
  const objectId = verityDigest(content, "sha512");
  const line = Buffer.from(formatDump(root)).toString().split("\n")[2];
  const place = `${objectId.slice(0, 2)}/${objectId.slice(2)}`;
  assert.equal(line, `/usr/sp 1000 100644 1 0 0 0 1000000000.0 ${place} - ${objectId}`);
  assert.deepEqual(repository.objects.read(objectId), content);
});

test("a time before 1970 in a PAX record makes the image that one in base-256 makes", async () => {
  // 12-negative-mtime has the latter, which the reference reads.
  const vector = vectors.find(({ name }) => name === "12-negative-mtime");
  assert.ok(vector);
  for (const run of RUNS) {
    using repository = await newRepository("negative-pax", run);
    await pullImage(
      repository,
      await withPaxTimes(await layoutOf(vector), join(scratch.path, `negative-pax-${run}-layout`)),
      { name: "case:t" },
    );
    assert.equal(await computeImageId(repository, "case:t", PLAIN), vector.expected.runs[run]?.image_id);
  }
});

/** The part of the reference's message that says what is wrong, and our code. */
const REFUSALS: Readonly<Record<string, [string, RegExp]>> = {
  "20-bad-diffid": ["corrupt", /its digest is sha256:[0-9a-f]{64}, expected sha256:[0-9a-f]{64}$/],
  "21-no-usr": ["unsupported", /Directory entry "usr" does not exist$/],
  "22-missing-parent": ["corrupt", /layer entry "usr\/no\/parent": Directory entry "no" does not exist$/],
  "23-parent-is-symlink": ["corrupt", /layer entry "lib\/x": Directory entry "lib" is not a subdirectory$/],
  "26-hardlink-to-nothing": ["corrupt", /Directory entry "nope" does not exist$/],
  "27-dotdot": ["corrupt", /Invalid filename "\/usr\/\.\."$/],
  "30-run-is-symlink": ["unsupported", /Directory entry "run" is not a subdirectory$/],
};

/** Refused by the reference, and read here: each has a test of its own. */
const READ_NONETHELESS = [...MUST_EQUAL_13, "24-negative-pax-mtime", "25-sparse"];

test("every refused case is listed", () => {
  const refused = vectors.map(({ name }) => name).filter((name) => name >= "20" && !READ_NONETHELESS.includes(name));
  assert.deepEqual(refused, Object.keys(REFUSALS));
});

for (const [name, [code, message]] of Object.entries(REFUSALS)) {
  test(`${name} is refused, and nothing of it has a name afterwards`, async () => {
    const vector = vectors.find((candidate) => candidate.name === name);
    assert.ok(vector);
    using repository = await newRepository(name, "sha512-v1");
    await assert.rejects(
      pullImage(repository, `oci:${await layoutOf(vector)}:t`, { name: "case:t" }),
      (error: SealrootError) => {
        assert.equal(error.code, code, error.message);
        assert.match(error.message, message);
        return true;
      },
    );
    const named = [...repository.streams.entries(), ...repository.images.entries()].map(({ entry }) => entry);
    // A layer that proved right may stay for the next attempt; nothing else may.
    assert.deepEqual(
      named.filter((entry) => !entry.startsWith("oci-layer-")),
      [],
    );
    assert.deepEqual(repository.streams.references(), []);
    if (name === "20-bad-diffid") assert.deepEqual(named, []);
  });
}

test("a second pull fetches nothing and changes nothing", async () => {
  const vector = vectors.find(({ name }) => name === "02-whiteouts");
  assert.ok(vector);
  using repository = await newRepository("twice", "sha512-v1");
  const reference = `oci:${await layoutOf(vector)}:t`;
  await pullImage(repository, reference);
  const first = await listing(repository.path);
  const again = await pullImage(repository, reference);
  const { newObjects, presentObjects, storedBytes, inlinedBytes, fetchedBytes, savedBytes } = again.statistics;
  const counts = { newObjects, presentObjects, storedBytes, inlinedBytes };
  assert.deepEqual(counts, { newObjects: 0, presentObjects: 0, storedBytes: 0, inlinedBytes: 0 });
  assert.deepEqual([fetchedBytes, savedBytes], [0, 0]);
  assert.deepEqual(await listing(repository.path), first);
  assert.deepEqual(
    (await listImages(repository)).map(({ name }) => name),
    [reference],
  );
});

test("an untagged image is no longer listed, and untagging twice is an error", async () => {
  const vector = vectors.find(({ name }) => name === "01-simple");
  assert.ok(vector);
  using repository = await newRepository("untag", "sha256-v1");
  await pullImage(repository, `oci:${await layoutOf(vector)}:t`, { name: "a/b%c:d" });
  assert.equal(
    readlinkSync(join(repository.path, "streams/refs/oci/a%2Fb%25c:d")),
    `../../oci-manifest-${vector.expected.oci.manifest}`,
  );
  untagImage(repository, "a/b%c:d");
  assert.deepEqual(await listImages(repository), []);
  assert.throws(() => untagImage(repository, "a/b%c:d"), { code: "not-found" });
});

test("images of a repository from before meta.json are read (vector 40), and give the ids of the layout they came from", async () => {
  const vector = vectors.find(({ name }) => name === "02-whiteouts");
  assert.ok(vector);
  const archive = join(vector.directory, "../40-old-format-repository/repository.tar.gz");
  const path = await unpack(archive, join(scratch.path, "old"), "repo");
  using repository = await openRepository(path, { insecure: true });
  const [listed] = await listImages(repository);
  assert.equal(listed?.image.manifestDigest, vector.expected.oci.manifest);
  const id = vector.expected.runs["sha256-v1"]?.image_id;
  assert.equal(await computeImageId(repository, listed.name, PLAIN), id);
  await pullImage(repository, `oci:${await layoutOf(vector)}:t`, { name: listed.name });
  assert.equal((await findImage(repository, listed.name)).images.get("composefs.image.v1"), id);
});

test("an image whose documents have sha512 digests is pulled, read again, and pulled once more", async () => {
  const layout = await OciLayout.create(join(scratch.path, "sha512-layout"));
  const put = async (mediaType: string, bytes: Uint8Array) => {
    const hex = createHash("sha512").update(bytes).digest("hex");
    await layout.blobs.put(bytes, { digest: `sha512:${hex}`, size: bytes.length });
    return { mediaType, digest: `sha512:${hex}`, size: bytes.length };
  };
  const usr = {
    kind: "directory",
    path: byteStringOfText("usr"),
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtimeSeconds: 1n,
  } as const;
  const layer = await putLayer(layout, writeTar([{ header: usr }]), { compression: "none" });
  const rootfs = { type: "layers", diff_ids: [layer.diffId] };
  const config = await put(MEDIA_TYPE.config, documentBytes({ os: "linux", architecture: "amd64", rootfs }));
  const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers: [layer.descriptor] };
  const described = await put(MEDIA_TYPE.manifest, documentBytes(manifest));
  await layout.enter(described, "x");
  using repository = await newRepository("sha512-documents", "sha512-v1");
  for (let times = 0; times < 2; times++) {
    const pulled = await pullImage(repository, `oci:${layout.directory}:x`, { name: "x" });
    assert.deepEqual([pulled.manifestDigest, pulled.configDigest], [described.digest, config.digest]);
    assert.equal((await findImage(repository, "x")).manifestDigest, described.digest);
  }
});
