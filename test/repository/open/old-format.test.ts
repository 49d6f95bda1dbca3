import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runTool, temporaryDirectory } from "../../../src/platform/index.ts";
import {
  checkRepository,
  fsckLines,
  initRepository,
  openRepository,
  storeTreeImage,
} from "../../../src/repository/index.ts";
import { SplitStreamWriter } from "../../../src/splitstream/index.ts";
import { newDirectory, newMetadata } from "../../../src/tree/index.ts";

const CASE_40 = new URL("../../vectors/repo/40-old-format-repository/", import.meta.url).pathname;

async function unpackCase40(directory: string): Promise<string> {
  await runTool("tar", ["-xzf", join(CASE_40, "repository.tar.gz"), "-C", directory]);
  return join(directory, "repo");
}

test("case 40 is refused without upgrade and upgraded to the transcript's meta.json otherwise", async () => {
  using directory = temporaryDirectory();
  const path = await unpackCase40(directory.path);
  await assert.rejects(openRepository(path, { upgrade: false }), {
    code: "not-found",
    message: `Cannot open repository ${path}: it has no meta.json and must be initialized`,
  });
  using repository = await openRepository(path);
  const transcript = readFileSync(join(CASE_40, "transcript.txt"), "utf8");
  const meta = readFileSync(join(path, "meta.json"), "utf8");
  assert.ok(transcript.includes(`\n${meta}`));
  const report = await checkRepository(repository);
  assert.deepEqual(fsckLines(report), [
    "meta.json: ok",
    "objects: 9/9 ok",
    "streams: 5/5 ok",
    "images: 0/0 ok",
    "status: ok",
  ]);
  assert.deepEqual(
    repository.streams.references().map(({ name }) => name),
    ["oci/case:t"],
  );
});

test("an old repository with an image of version 2 on its list is version 2", async () => {
  using directory = temporaryDirectory();
  const { repository } = await initRepository(directory.path, { algorithm: "sha256", protection: "insecure" });
  const tree = newDirectory(newMetadata({ mode: 0o755 }));
  repository.listImage(storeTreeImage(repository, tree, 2));
  repository.close();
  rmSync(join(directory.path, "meta.json"));
  using upgraded = await openRepository(directory.path);
  assert.deepEqual(upgraded.formats, { default: 2, extra: [] });
  assert.equal(upgraded.algorithm, "sha256");
  assert.equal(upgraded.protection, "insecure");
});

for (const [key, version] of [
  ["composefs.image", 2],
  ["composefs.image.boot", 2],
  ["composefs.image.v1", 1],
  ["composefs.image.boot.v1", 1],
] as const) {
  test(`an old repository whose configuration records ${key} is version ${version}`, async () => {
    using directory = temporaryDirectory();
    const { repository } = await initRepository(directory.path, { algorithm: "sha512", protection: "insecure" });
    const imageId = repository.objects.ensure(Buffer.from("an image that is long gone"));
    const config = new SplitStreamWriter("sha512", "ociconfg");
    config.nameRef(key, imageId);
    const objectId = repository.objects.ensure(await config.finish());
    repository.streams.register([{ entry: `oci-config-sha256:${"a".repeat(64)}`, objectId }]);
    repository.close();
    rmSync(join(directory.path, "meta.json"));
    using upgraded = await openRepository(directory.path);
    assert.deepEqual(upgraded.formats, { default: version, extra: [] });
    assert.equal(upgraded.algorithm, "sha512");
  });
}

test("an old repository without any object says that its algorithm cannot be told", async () => {
  using directory = temporaryDirectory();
  const { repository } = await initRepository(directory.path, { protection: "insecure" });
  const objectId = repository.objects.ensure(Buffer.from("x"));
  rmSync(repository.objects.path(objectId));
  repository.close();
  rmSync(join(directory.path, "meta.json"));
  await assert.rejects(openRepository(directory.path), {
    code: "corrupt",
    message: `Cannot upgrade repository ${directory.path}: it has no meta.json and no object to tell the algorithm from`,
  });
});
