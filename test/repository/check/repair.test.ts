import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { main } from "../../../src/cli/main.ts";
import { findImage, layerStreamName, pullImage, restoreImage } from "../../../src/imagestore/index.ts";
import { temporaryDirectory } from "../../../src/platform/index.ts";
import {
  findingText,
  initRepository,
  openRepository,
  type Repository,
  repairRepository,
} from "../../../src/repository/index.ts";
import { readSplitStream } from "../../../src/splitstream/index.ts";
import type { Output } from "../../../src/verbs/index.ts";
import { unpackLayouts } from "../faults/layouts.ts";

/** A repository with both layouts pulled as `first` (bootable) and `second`. */
async function pulledRepository(directory: string): Promise<Repository> {
  await unpackLayouts(directory);
  const { repository } = await initRepository(join(directory, "repo"), { algorithm: "sha256", protection: "insecure" });
  await pullImage(repository, `oci:${join(directory, "layout-1")}`, { name: "first", bootable: true });
  await pullImage(repository, `oci:${join(directory, "layout-2")}`, { name: "second" });
  return repository;
}

/** A file body of the image's first layer that has one, and that layer. */
async function someBody(repository: Repository, name: string): Promise<{ body: string; layer: string }> {
  for (const layer of (await findImage(repository, name)).layers.values()) {
    const [body] = readSplitStream(repository.objects.read(layer), { algorithm: "sha256" }).objectRefs;
    if (body !== undefined) return { body, layer };
  }
  throw new Error("the image has no file body of its own");
}

async function run(...words: string[]): Promise<{ exitCode: number; out: string[]; err: string[] }> {
  const out: string[] = [];
  const err: string[] = [];
  const output: Output = {
    line: (text) => out.push(text),
    bytes: async () => {},
    json: (value) => out.push(JSON.stringify(value)),
    remark: (text) => err.push(text),
  };
  return { exitCode: await main([...words, "-q"], output), out, err };
}

const inObjects = (id: string) => `objects/${id.slice(0, 2)}/${id.slice(2)}`;

test("a damaged file body is removed, its image is named, and --from brings it back", async () => {
  using directory = temporaryDirectory();
  const repository = await pulledRepository(directory.path);
  const { body } = await someBody(repository, "first");
  const before = await findImage(repository, "first");
  writeFileSync(repository.objects.path(body), "damaged");
  repository.close();
  const repo = ["--repo", repository.path];

  const check = await run("repo", "fsck", ...repo);
  assert.equal(check.exitCode, 1);
  assert.deepEqual(check.err, ['hit: image "first"']);
  const removed = await run("repo", "fsck", "--repair", ...repo);
  assert.equal(removed.exitCode, 1);
  assert.deepEqual(removed.out.slice(0, 2), ['hit: image "first"', `removed: ${inObjects(body)}`]);
  assert.match(
    removed.out.join("\n"),
    /missing objects: \d+\nstatus: \d+ error\(s\)\n {2}- fsck: missing-object-ref: /,
  );
  assert.match(
    removed.err.join("\n"),
    /^fetch what is missing with --repair --from IMAGE, or remove the affected tags and run gc$/,
  );

  const restored = await run("repo", "fsck", "--repair", "--from", `oci:${join(directory.path, "layout-1")}`, ...repo);
  assert.deepEqual([restored.exitCode, restored.out[0], restored.out.at(-1)], [0, 'hit: image "first"', "status: ok"]);
  using reopened = await openRepository(repository.path);
  const after = await findImage(reopened, "first");
  assert.deepEqual(after.images, before.images);
  assert.equal(after.manifestStreamId, before.manifestStreamId);
});

test("whichever object is damaged, a repair brings back the same repository", async () => {
  using directory = temporaryDirectory();
  using repository = await pulledRepository(directory.path);
  const restore = async () => {
    for (const layout of ["layout-1", "layout-2"]) {
      await restoreImage(repository, `oci:${join(directory.path, layout)}`, () => {});
    }
  };
  const before = readdirSync(repository.path, { recursive: true }).sort();
  for (const { path } of [...repository.objects.entries()]) {
    truncateSync(path, 3);
    const report = await repairRepository(repository, { restore });
    assert.ok(report.hit.length > 0, path);
    assert.equal(join(repository.path, report.removed[0] ?? ""), path);
    assert.deepEqual(report.after.errors.map(findingText), [], path);
    assert.deepEqual(readdirSync(repository.path, { recursive: true }).sort(), before, path);
  }
});

test("strays, wrong links and wrong streams go, and nothing else does", async () => {
  using directory = temporaryDirectory();
  using repository = await pulledRepository(directory.path);
  const { layer, body } = await someBody(repository, "first");
  const inRepository = (path: string) => join(repository.path, path);
  const wrongStream = `streams/${layerStreamName(`sha256:${"0".repeat(64)}`)}`;
  mkdirSync(inRepository("objects/00"), { recursive: true });
  writeFileSync(inRepository("objects/00/stray"), "");
  writeFileSync(inRepository("objects/.tmp-object-000000000000"), "");
  writeFileSync(inRepository("streams/stray"), "");
  symlinkSync("../stray", inRepository("streams/refs/to-stray"));
  symlinkSync("../../objects", inRepository("streams/refs/outside"));
  symlinkSync(`../${inObjects(layer)}`, inRepository(wrongStream));
  symlinkSync(`../${inObjects(body)}`, inRepository(`images/${body}`));
  const report = await repairRepository(repository);
  assert.deepEqual(
    [...report.removed].sort(),
    [
      `images/${body}`,
      "objects/.tmp-object-000000000000",
      "objects/00/stray",
      wrongStream,
      "streams/refs/outside",
      "streams/refs/to-stray",
      "streams/stray",
    ].sort(),
  );
  assert.deepEqual(report.after.errors.map(findingText), []);
  assert.deepEqual(report.after.leftovers, []);
  assert.deepEqual((await repairRepository(repository)).removed, []);
});

test("--json=full has the facts of the reference's report, and findings, leftovers, hits and what was done", async () => {
  using directory = temporaryDirectory();
  const repository = await pulledRepository(directory.path);
  const { body } = await someBody(repository, "first");
  rmSync(repository.objects.path(body));
  repository.close();
  const plain = JSON.parse((await run("repo", "fsck", "--json", "--repo", repository.path)).out[0] ?? "");
  const full = JSON.parse((await run("repo", "fsck", "--json=full", "--repo", repository.path)).out[0] ?? "");
  assert.deepEqual(Object.keys(plain).length, 11);
  const { findings, leftovers, hitReferences, ...rest } = full;
  assert.deepEqual(rest, {
    ok: plain.ok,
    metadata: "ok",
    objectsChecked: plain.objects_checked,
    objectsCorrupted: plain.objects_corrupted,
    streamsChecked: plain.streams_checked,
    streamsCorrupted: plain.streams_corrupted,
    imagesChecked: plain.images_checked,
    imagesCorrupted: plain.images_corrupted,
    brokenLinks: plain.broken_links,
    missingObjects: plain.missing_objects,
  });
  assert.deepEqual(hitReferences, ["streams/refs/oci/first"]);
  assert.deepEqual(leftovers, []);
  assert.equal(findings[0].kind, "missing-object-ref");
  const from = ["--from", `oci:${join(directory.path, "layout-1")}`];
  const repaired = await run("repo", "fsck", "--repair", ...from, "--json=full", "--repo", repository.path);
  const result = JSON.parse(repaired.out.join(""));
  assert.deepEqual([repaired.exitCode, result.ok, result.repair.findings], [0, true, findings]);
  assert.deepEqual([result.repair.removed, result.hitReferences], [[], ["streams/refs/oci/first"]]);
});

test("another image than those in the repository is refused, and options that contradict each other", async () => {
  using directory = temporaryDirectory();
  await unpackLayouts(directory.path);
  const path = join(directory.path, "repo");
  (await initRepository(path, { protection: "insecure" })).repository.close();
  const from = ["--from", `oci:${join(directory.path, "layout-1")}`];
  const other = await run("repo", "fsck", "--repair", ...from, "--repo", path);
  assert.equal(other.exitCode, 1);
  assert.match(other.err[0] ?? "", /Cannot restore from oci:.*: its image is not in the repository$/);
  assert.equal((await run("repo", "fsck", ...from, "--repo", path)).exitCode, 2);
  assert.equal((await run("repo", "fsck", "--repair", "--metadata-only", "--repo", path)).exitCode, 2);
});
