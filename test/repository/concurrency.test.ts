import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { computeImageId, findImage, listImages } from "../../src/imagestore/index.ts";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import { checkRepository, initRepository, openRepository } from "../../src/repository/index.ts";
import { unpackLayouts } from "./faults/layouts.ts";

const program = new URL("./faults/concurrent.ts", import.meta.url).pathname;

async function run(...words: string[]): Promise<string> {
  return (await runTool(process.execPath, [program, ...words])).stdout.toString();
}

test("gc in one process takes nothing away that two others are pulling", async () => {
  using directory = temporaryDirectory();
  await unpackLayouts(directory.path);
  const path = join(directory.path, "repo");
  (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository.close();
  const [collected] = await Promise.all([
    run("gc", directory.path),
    run("pull", directory.path, "a"),
    run("pull", directory.path, "b"),
  ]);
  assert.ok(Number(collected) > 0, "there was nothing to collect");
  using repository = await openRepository(path);
  const { errors, leftovers } = await checkRepository(repository);
  assert.deepEqual([...errors, ...leftovers], []);
  const images = await listImages(repository);
  assert.deepEqual(
    images.map(({ name }) => name),
    ["a-5", "b-5"],
  );
  for (const { name } of images) {
    const variant = { bootable: false, keepUserXattrs: false };
    const recorded = (await findImage(repository, name)).images.get("composefs.image.v1");
    assert.equal(await computeImageId(repository, name, variant), recorded);
  }
});
