import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { startTool, temporaryDirectory } from "../../../src/platform/index.ts";
import {
  checkRepository,
  collectGarbage,
  directoryTree,
  findingText,
  fsckJson,
  fsckLines,
  gcLines,
  initRepository,
  openRepository,
  type Repository,
  refuseFailures,
  storeTreeImages,
} from "../../../src/repository/index.ts";
import { SplitStreamWriter } from "../../../src/splitstream/index.ts";
import { undeletable } from "../../platform/undeletable.ts";

const BODY = Buffer.alloc(5000, "body ");

/** A repository with one named image, one named stream with a content digest, and a stream that refers to it. */
async function filledRepository(directory: string) {
  const root = join(directory, "root");
  mkdirSync(join(root, "usr"), { recursive: true });
  writeFileSync(join(root, "usr", "large"), Buffer.alloc(10_000, 7));
  const { repository } = await initRepository(join(directory, "repo"), { algorithm: "sha256", protection: "insecure" });
  const tree = await directoryTree(root, { algorithm: "sha256", repository });
  const imageId = storeTreeImages(repository, tree, "my/image");
  const bodyId = repository.objects.ensure(BODY);
  const inner = new SplitStreamWriter("sha256", "ocilayer");
  inner.inline(Buffer.from("head"));
  inner.external(bodyId, BODY.length);
  const innerId = repository.objects.ensure(await inner.finish());
  const contentId = `oci-layer-sha256:${createHash("sha256").update("head").update(BODY).digest("hex")}`;
  const outer = new SplitStreamWriter("sha256", "ocimanif");
  outer.inline(Buffer.from("{}"));
  outer.nameRef("layer", innerId);
  const outerId = repository.objects.ensure(await outer.finish());
  repository.streams.register([
    { entry: contentId, objectId: innerId },
    { entry: "manifest", objectId: outerId },
  ]);
  repository.streams.setReference("oci/tag", "manifest");
  return { repository, imageId, bodyId, innerId, outerId, contentId };
}

function allNames(repository: Repository): string[] {
  return readdirSync(repository.path, { recursive: true, encoding: "utf8" });
}

async function errorsOf(repository: Repository): Promise<string[]> {
  return (await checkRepository(repository)).errors.map(findingText);
}

test("a sound repository is reported in the reference's shapes", async () => {
  using directory = temporaryDirectory();
  const { repository } = await filledRepository(directory.path);
  using _ = repository;
  const report = await checkRepository(repository);
  assert.deepEqual(fsckLines(report), [
    "meta.json: ok",
    "objects: 5/5 ok",
    "streams: 2/2 ok",
    "images: 1/1 ok",
    "status: ok",
  ]);
  assert.deepEqual(fsckJson(report), {
    ok: true,
    has_metadata: true,
    objects_checked: 5,
    objects_corrupted: 0,
    streams_checked: 2,
    streams_corrupted: 0,
    images_checked: 1,
    images_corrupted: 0,
    broken_links: 0,
    missing_objects: 0,
    errors: [],
  });
  const quick = await checkRepository(repository, { metadataOnly: true });
  assert.equal(quick.objectsChecked, 0);
  assert.equal(quick.errors.length, 0);
});

test("fsck names each kind of damage", async () => {
  using directory = temporaryDirectory();
  const { repository, imageId, bodyId, innerId, contentId } = await filledRepository(directory.path);
  using _ = repository;
  const inRepo = (path: string) => join(repository.path, path);
  const objectPath = (id: string) => `objects/${id.slice(0, 2)}/${id.slice(2)}`;

  const good = repository.objects.read(bodyId);
  rmSync(inRepo(objectPath(bodyId)));
  assert.deepEqual(await errorsOf(repository), [`missing-object-ref: streams/${contentId}: ${bodyId}`]);
  writeFileSync(inRepo(objectPath(bodyId)), "other");
  const [mismatch, unreadable] = await errorsOf(repository);
  assert.match(mismatch ?? "", new RegExp(`^object-digest-mismatch: ${objectPath(bodyId)}: measured [0-9a-f]{64}$`));
  assert.match(unreadable ?? "", /^stream-read-failed: streams\/oci-layer-.*: it has 9 bytes, its header says 5004$/);
  rmSync(inRepo(objectPath(bodyId)));
  repository.objects.ensure(good);

  symlinkSync(`../${objectPath(innerId)}`, inRepo(`streams/oci-layer-sha256:${"0".repeat(64)}`));
  symlinkSync(`../${objectPath(innerId)}`, inRepo(`images/${"1".repeat(64)}`));
  symlinkSync("../../objects", inRepo("streams/refs/outside"));
  symlinkSync("../gone", inRepo("streams/refs/dangling"));
  writeFileSync(inRepo("streams/refs/file"), "");
  writeFileSync(inRepo("streams/stray"), "");
  writeFileSync(inRepo("objects/ab-is-missing"), "");
  mkdirSync(inRepo("objects/ab"), { recursive: true });
  writeFileSync(inRepo("objects/ab/stray"), "");
  writeFileSync(inRepo("objects/.tmp-object-abcdefabcdef"), "");
  const report = await checkRepository(repository);
  const errors = report.errors.map(findingText);
  assert.equal(errors.length, 8, errors.join("\n"));
  assert.equal(errors[0], "object-invalid-name: objects/ab/stray");
  assert.match(errors[1] ?? "", /^stream-content-mismatch: streams\/oci-layer-sha256:0+: content is sha256:/);
  assert.deepEqual(errors.slice(2, 6), [
    "broken-symlink: streams/refs/dangling: ../gone",
    "unexpected-file-type: streams/refs/file",
    "reference-outside-category: streams/refs/outside: ../../objects",
    "entry-not-symlink: streams/stray",
  ]);
  assert.match(errors[6] ?? "", /^image-name-mismatch: images\/1+: it leads to object /);
  assert.match(errors[7] ?? "", /^image-invalid: images\/1+: /);
  assert.deepEqual(report.leftovers.map(findingText), ["leftover: objects/.tmp-object-abcdefabcdef"]);
  assert.equal(report.streamsCorrupted, 2);
  assert.equal(report.imagesCorrupted, 1);
  assert.equal(report.brokenLinks, 1);
  assert.ok(existsSync(inRepo(`images/${imageId}`)));
});

test("gc keeps what references need and deletes the rest, as its dry run says", async () => {
  using directory = temporaryDirectory();
  const { repository, contentId } = await filledRepository(directory.path);
  using _ = repository;
  const before = [...repository.objects.entries()].length;
  const garbage = ["one", "another"].map((text) => repository.objects.ensure(Buffer.from(text)));
  repository.streams.register([{ entry: "unused", objectId: garbage[0] ?? "" }]);
  writeFileSync(join(repository.path, "objects", ".tmp-object-000000000000"), "");
  symlinkSync("x", join(repository.path, ".symlink-000000000000"));
  mkdirSync(join(repository.path, "objects", "fe"), { recursive: true });
  const expected = [
    "Objects: 2 removed (10 bytes)",
    "Pruned symlinks: 0 images, 1 streams",
    "Temporary files: 2 removed",
  ];
  const dry = await collectGarbage(repository, { dryRun: true });
  assert.deepEqual(gcLines(dry, true), ["Dry run (no files deleted):", ...expected]);
  assert.equal([...repository.objects.entries()].length, before + 2);
  const namesBefore = allNames(repository);
  const run = await collectGarbage(repository);
  assert.deepEqual(run, dry);
  assert.deepEqual(gcLines(run, false), expected);
  const kept = new Set(allNames(repository));
  assert.deepEqual([...run.paths].sort(), namesBefore.filter((name) => !kept.has(name)).sort());
  assert.equal([...repository.objects.entries()].length, before);
  assert.equal(repository.streams.find("unused"), undefined);
  assert.ok(repository.streams.find(contentId));
  assert.deepEqual(readdirSync(repository.path).sort(), ["images", "meta.json", "objects", "streams"]);
  assert.deepEqual(await errorsOf(repository), []);
  assert.deepEqual(gcLines(await collectGarbage(repository), false), ["Objects: 0 removed (0 bytes)"]);
});

test("what lost its reference goes, and an entry can be kept by name", async () => {
  using directory = temporaryDirectory();
  const { repository, imageId } = await filledRepository(directory.path);
  using _ = repository;
  repository.streams.removeReference("oci/tag");
  repository.images.removeReference("my/image");
  const kept = await collectGarbage(repository, { dryRun: true, roots: ["manifest", imageId] });
  assert.equal(kept.objectsRemoved, 0);
  const all = await collectGarbage(repository);
  assert.deepEqual([all.objectsRemoved, all.imagesPruned, all.streamsPruned], [5, 1, 2]);
  assert.deepEqual(readdirSync(join(repository.path, "objects")), []);
});

test("references that are to go lead to nothing, and go first", async () => {
  using directory = temporaryDirectory();
  const { repository } = await filledRepository(directory.path);
  using _ = repository;
  const dropped = ["oci/tag", "oci/absent"];
  const dry = await collectGarbage(repository, { dropped, dryRun: true });
  assert.equal(dry.paths[0], "streams/refs/oci/tag");
  assert.ok(repository.streams.referenceTarget("oci/tag"));
  const namesBefore = allNames(repository);
  assert.deepEqual(await collectGarbage(repository, { dropped }), dry);
  const kept = new Set(allNames(repository));
  assert.deepEqual([...dry.paths].sort(), namesBefore.filter((name) => !kept.has(name)).sort());
  assert.deepEqual([dry.imagesPruned, dry.streamsPruned], [0, 2]);
  assert.deepEqual(await errorsOf(repository), []);
});

test("what cannot be deleted is reported, and the rest goes", async () => {
  using directory = temporaryDirectory();
  const { repository } = await filledRepository(directory.path);
  using _ = repository;
  const [held = "", other = ""] = ["held", "others"].map((text) => repository.objects.ensure(Buffer.from(text)));
  const heldPath = `objects/${held.slice(0, 2)}/${held.slice(2)}`;
  const dry = await collectGarbage(repository, { dryRun: true });
  assert.equal(dry.objectsRemoved, 2);
  {
    using __ = undeletable(join(repository.path, heldPath));
    const report = await collectGarbage(repository);
    assert.deepEqual([report.objectsRemoved, report.objectsBytes], [1, 6]);
    assert.deepEqual(
      report.failures.map(({ path, error }) => [path, error.message.startsWith(`Cannot delete ${heldPath}: `)]),
      [[heldPath, true]],
    );
    assert.deepEqual([repository.objects.has(held), repository.objects.has(other)], [true, false]);
    assert.throws(() => refuseFailures(report), {
      code: "failed",
      message: `Cannot delete ${heldPath}: the rest is deleted`,
    });
  }
  const report = await collectGarbage(repository);
  assert.deepEqual([report.objectsRemoved, report.failures], [1, []]);
  assert.equal(existsSync(join(repository.path, "objects", held.slice(0, 2))), false);
});

test("when a name cannot be deleted, everything that it could lead to stays", async () => {
  using directory = temporaryDirectory();
  const { repository } = await filledRepository(directory.path);
  using _ = repository;
  const before = allNames(repository);
  const dropped = ["oci/tag"];
  {
    using __ = undeletable(join(repository.path, "streams/refs/oci/tag"));
    const report = await collectGarbage(repository, { dropped });
    assert.deepEqual(
      report.failures.map(({ path }) => path),
      ["streams/refs/oci/tag"],
    );
    assert.deepEqual([report.objectsRemoved, report.objectsBytes, report.streamsPruned, report.paths], [0, 0, 0, []]);
    assert.deepEqual(allNames(repository), before);
  }
  assert.deepEqual((await collectGarbage(repository, { dropped })).failures, []);
});

test("stray files are reported and skipped", async () => {
  using directory = temporaryDirectory();
  const { repository } = await filledRepository(directory.path);
  using _ = repository;
  const inRepo = (path: string) => join(repository.path, path);
  symlinkSync("../gone", inRepo("streams/refs/dangling"));
  writeFileSync(inRepo("streams/stray"), "");
  symlinkSync("/etc/passwd", inRepo("images/strange"));
  mkdirSync(inRepo("objects/00"), { recursive: true });
  writeFileSync(inRepo("objects/00/stray"), "");
  const dry = await collectGarbage(repository, { dryRun: true });
  const namesBefore = allNames(repository);
  const report = await collectGarbage(repository);
  assert.deepEqual(report, dry);
  assert.deepEqual(
    namesBefore.filter((name) => !allNames(repository).includes(name)),
    ["images/strange", "streams/refs/dangling"],
  );
  assert.deepEqual(report.notices.map(findingText), [
    "broken-symlink: streams/refs/dangling: gone",
    "object-invalid-name: objects/00/stray",
    "entry-not-symlink: streams/stray",
  ]);
  assert.equal(report.objectsRemoved, 0);
  assert.equal(existsSync(inRepo("streams/stray")), true);
  assert.equal(existsSync(inRepo("streams/refs/dangling")), false);
});

test("gc refuses, before it deletes, when something in use cannot be read", async () => {
  using directory = temporaryDirectory();
  const { repository, innerId } = await filledRepository(directory.path);
  using _ = repository;
  const garbage = repository.objects.ensure(Buffer.from("garbage"));
  truncateSync(repository.objects.path(innerId), 20);
  await assert.rejects(collectGarbage(repository), (error) => {
    assert.ok(error instanceof Error);
    assert.match(error.message, new RegExp(`^Cannot collect garbage: object ${innerId} is in use and cannot be read`));
    return true;
  });
  assert.ok(repository.objects.has(garbage));
});

test("gc waits for other users of the repository, in this and in other processes", async () => {
  using directory = temporaryDirectory();
  const { repository } = await filledRepository(directory.path);
  using _ = repository;
  const other = await openRepository(repository.path);
  await assert.rejects(collectGarbage(repository, { lockTimeoutMs: 30 }), { code: "timeout" });
  other.close();
  const script = `
    import { openRepository } from ${JSON.stringify(new URL("../../../src/repository/index.ts", import.meta.url).href)};
    await openRepository(${JSON.stringify(repository.path)});
    console.log("open");
    setTimeout(() => {}, 60_000);
  `;
  const holder = await startTool(process.execPath, ["--input-type=module", "-e", script]);
  await new Promise((resolve) => holder.stdout?.once("data", resolve));
  await assert.rejects(collectGarbage(repository, { lockTimeoutMs: 30 }), { code: "timeout" });
  const waiting = collectGarbage(repository);
  holder.kill("SIGKILL");
  assert.equal((await waiting).objectsRemoved, 0);
});

test("a stream whose object is replaced by another is found", async () => {
  using directory = temporaryDirectory();
  const { repository, bodyId } = await filledRepository(directory.path);
  using _ = repository;
  const path = repository.objects.path(bodyId);
  const forged = join(dirname(path), "forged");
  writeFileSync(forged, Buffer.alloc(5000, "fake "));
  unlinkSync(path);
  renameSync(forged, path);
  const errors = await errorsOf(repository);
  assert.match(errors[0] ?? "", /^object-digest-mismatch/);
  assert.match(errors[1] ?? "", /^stream-content-mismatch/);
});
