import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { temporaryDirectory } from "../../src/platform/index.ts";
import {
  checkRepository,
  collectGarbage,
  findingText,
  fsckLines,
  gcLines,
  initRepository,
  openRepository,
  parseMeta,
  type Repository,
  streamContent,
} from "../../src/repository/index.ts";
import { HEAD_BYTES, writeHead } from "../../src/splitstream/header.ts";
import { SplitStreamWriter } from "../../src/splitstream/index.ts";

const directory = temporaryDirectory();
after(() => directory[Symbol.dispose]());
const BODY = Buffer.alloc(1000, "body ");
let made = 0;

/** A repository with a stream `layer`, which the reference `tag` leads to. */
async function newRepository(): Promise<{ repository: Repository; path: string; bodyId: string; streamId: string }> {
  const path = join(directory.path, `repository-${made++}`);
  const { repository } = await initRepository(path, { algorithm: "sha256", protection: "insecure" });
  const bodyId = repository.objects.ensure(BODY);
  const writer = new SplitStreamWriter("sha256", "ocilayer");
  writer.external(bodyId, BODY.length);
  const streamId = repository.objects.ensure(await writer.finish());
  repository.streams.register([{ entry: "layer", objectId: streamId }]);
  repository.streams.setReference("tag", "layer");
  return { repository, path, bodyId, streamId };
}

test("a pipe in the place of meta.json is refused and not waited for", async () => {
  const { repository, path } = await newRepository();
  repository.close();
  rmSync(join(path, "meta.json"));
  execFileSync("mkfifo", [join(path, "meta.json")]);
  const message = `Cannot read ${path}/meta.json: it is not a regular file`;
  await assert.rejects(openRepository(path), { code: "corrupt", message });
});

test("an old repository with dangling and damaged entries is upgraded all the same", async () => {
  const { repository, path, bodyId } = await newRepository();
  repository.images.register([{ entry: "gone", objectId: "a".repeat(64) }]);
  repository.streams.register([
    { entry: "oci-config-gone", objectId: "b".repeat(64) },
    { entry: "oci-config-damaged", objectId: bodyId },
  ]);
  repository.close();
  rmSync(join(path, "meta.json"));
  using upgraded = await openRepository(path);
  assert.deepEqual(upgraded.formats, { default: 1, extra: [] });
});

test("meta.json nested deeper than can be printed is refused with one line", () => {
  const nested = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  const document = { version: 1, algorithm: "fsverity-sha256-12" };
  for (const [field, message] of [
    ["version", "Cannot read meta.json: version is a list or an object, not an integer"],
    ["algorithm", "Cannot use the algorithm a list or an object: it is not known"],
  ] as const) {
    const text = JSON.stringify({ ...document, [field]: "@" }).replace('"@"', nested);
    assert.throws(() => parseMeta(text), { name: "SealrootError", message });
  }
});

test("a pipe in the place of an object is reported and not waited for", async () => {
  const { repository, streamId } = await newRepository();
  using opened = repository;
  const file = opened.objects.path(streamId);
  rmSync(file);
  execFileSync("mkfifo", [file]);
  const { errors } = await checkRepository(opened);
  assert.deepEqual(errors.map(findingText), [
    `object-invalid-name: objects/${streamId.slice(0, 2)}/${streamId.slice(2)}`,
    `stream-open-failed: streams/layer: Cannot read ${file}: it is not a regular file`,
  ]);
});

for (const name of ["objects", "streams", "streams/refs", "images"]) {
  test(`a repository whose ${name} is a link to another place is not opened`, async () => {
    const { repository, path } = await newRepository();
    repository.close();
    const elsewhere = join(directory.path, `elsewhere-${made++}`);
    if (name === "images") mkdirSync(elsewhere);
    else renameSync(join(path, name), elsewhere);
    symlinkSync(elsewhere, join(path, name));
    await assert.rejects(openRepository(path), {
      code: "corrupt",
      message: `Cannot use the repository: ${path}/${name} is not a directory of its own`,
    });
  });
}

test("a linked two-digit directory of objects is refused before anything is written behind it", async () => {
  const { repository, path } = await newRepository();
  repository.close();
  const elsewhere = join(directory.path, `elsewhere-${made++}`);
  mkdirSync(elsewhere);
  rmSync(join(path, "objects", "00"), { recursive: true, force: true });
  symlinkSync(elsewhere, join(path, "objects", "00"));
  const message = `Cannot use the repository: ${path}/objects/00 is not a directory of its own`;
  await assert.rejects(openRepository(path), { code: "corrupt", message });
});

test("a reference is neither made nor removed behind a link", async () => {
  const { repository, path } = await newRepository();
  using opened = repository;
  const elsewhere = join(directory.path, `elsewhere-${made++}`);
  mkdirSync(elsewhere);
  symlinkSync("../layer", join(elsewhere, "there"));
  symlinkSync(elsewhere, join(path, "streams", "refs", "oci"));
  const expected = {
    code: "corrupt",
    message: `Cannot use the repository: ${path}/streams/refs/oci is not a directory of its own`,
  };
  assert.throws(() => opened.streams.setReference("oci/new", "layer"), expected);
  assert.throws(() => opened.streams.removeReference("oci/there"), expected);
  assert.deepEqual(readdirSync(elsewhere), ["there"]);
});

test("a reference with a name that is not UTF-8 keeps its stream; another entry of such a name is reported", async () => {
  const { repository, path } = await newRepository();
  using opened = repository;
  opened.streams.removeReference("tag");
  symlinkSync("../layer", Buffer.from(`${path}/streams/refs/\xff`, "latin1"));
  symlinkSync("../objects", Buffer.from(`${path}/streams/\xfe`, "latin1"));
  const report = await collectGarbage(opened);
  assert.equal(report.objectsRemoved, 0);
  const { errors } = await checkRepository(opened);
  assert.deepEqual(errors.map(findingText), [
    "entry-invalid-name: streams/refs/\ufffd",
    "entry-invalid-name: streams/\ufffd",
  ]);
});

test("names cannot write lines of their own into a report", async () => {
  const { repository, path } = await newRepository();
  using opened = repository;
  writeFileSync(join(path, "streams", "a\nstatus: ok"), "");
  symlinkSync("../gone", join(path, "streams", "refs", "b\x1b[2J"));
  const lines = fsckLines(await checkRepository(opened));
  assert.deepEqual(lines.slice(-2), [
    "  - fsck: entry-not-symlink: streams/a\\nstatus: ok",
    "  - fsck: broken-symlink: streams/refs/b\\u001b[2J: ../gone",
  ]);
  const notices = gcLines(await collectGarbage(opened, { dryRun: true }), true);
  assert.ok(notices.includes("Skipped broken-symlink: streams/refs/b\\u001b[2J: gone"), notices.join("\n"));
});

test("a directory named as a temporary file is left alone", async () => {
  const { repository, path } = await newRepository();
  using opened = repository;
  mkdirSync(join(path, ".symlink-0123456789ab"));
  mkdirSync(join(path, "objects", ".tmp-object-0123456789ab"));
  const report = await collectGarbage(opened);
  assert.equal(report.leftoversRemoved, 0);
  assert.ok(readdirSync(path).includes(".symlink-0123456789ab"));
});

test("an object of more than 1 GiB is not read into memory", async () => {
  const { repository, streamId } = await newRepository();
  using opened = repository;
  truncateSync(opened.objects.path(streamId), 2 ** 40);
  assert.throws(() => opened.objects.read(streamId), {
    code: "unsupported",
    message: `Cannot read object ${streamId} whole: 1099511627776 bytes are more than 1073741824`,
  });
});

test("a stream of a few kilobytes that unpacks to gigabytes is given up where it is longer than it says", async () => {
  const { repository } = await newRepository();
  using opened = repository;
  const prefix = Buffer.alloc(8);
  prefix.writeBigInt64LE(BigInt(-(2 ** 26)));
  const chunks = zstdCompressSync(Buffer.concat([prefix, Buffer.alloc(2 ** 26)]));
  const names = zstdCompressSync(Buffer.alloc(0));
  const namesEnd = HEAD_BYTES + names.length;
  const none = { start: HEAD_BYTES, end: HEAD_BYTES };
  const head = writeHead({
    algorithm: "sha256",
    ...{ streamRefs: none, objectRefs: none, namedRefs: { start: HEAD_BYTES, end: namesEnd } },
    stream: { start: namesEnd, end: namesEnd + chunks.length },
    ...{ contentType: "ocilayer", sizeBytes: 1000 },
  });
  const id = opened.objects.ensure(Buffer.concat([head, names, chunks]));
  let seenBytes = 0;
  const read = async () => {
    for await (const piece of streamContent(opened, id)) seenBytes += piece.length;
  };
  const message = `Cannot read stream ${id}: it has over 1000 bytes, its header says 1000`;
  await assert.rejects(read(), { code: "corrupt", message });
  assert.equal(seenBytes, 0);
});
