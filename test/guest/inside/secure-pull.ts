/** Pulling images into a secure repository: everything they leave there is under the kernel's digest. */
import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { toHex } from "../../../src/bytes/index.ts";
import { pullImage } from "../../../src/imagestore/index.ts";
import { measureVerity, runTool } from "../../../src/platform/index.ts";
import { checkRepository, findingText, initRepository, openRepository } from "../../../src/repository/index.ts";

const VECTORS = new URL("../../vectors/repo/", import.meta.url).pathname;

async function unpackLayout(name: string): Promise<string> {
  const directory = `/scratch/layout-${name}`;
  mkdirSync(directory);
  const archive = gunzipSync(readFileSync(join(VECTORS, name, "layout.tar.gz")));
  await runTool("tar", ["-xf", "-", "-C", directory], { input: archive });
  return `oci:${join(directory, "layout")}:t`;
}

for (const [name, algorithm] of [
  ["10-boot-selinux", "sha512"],
  ["05-sizes", "sha256"],
] as const) {
  test(`${name} is pulled into a secure ${algorithm} repository with the reference's ids, every object under fs-verity`, async () => {
    const source = await unpackLayout(name);
    using repository = (await initRepository(`/scratch/pulled-${name}`, { algorithm })).repository;
    const bootable = name === "10-boot-selinux";
    const pulled = await pullImage(repository, source, { name: "case:t", bootable });
    const expected = JSON.parse(readFileSync(join(VECTORS, name, "expected.json"), "utf8")).runs[`${algorithm}-v1`];
    assert.equal(repository.images.find(expected.image_id), expected.image_id);
    if (bootable) assert.equal(pulled.bootImageIds.get(1), expected.boot_image_id);
    for (const { objectId, path } of repository.objects.entries()) {
      const fd = openSync(path, "r");
      const measured = measureVerity(fd);
      closeSync(fd);
      assert.ok(measured.state === "enabled", path);
      assert.equal(toHex(measured.digest), objectId);
    }
    assert.deepEqual((await checkRepository(repository)).errors.map(findingText), []);
  });
}

test("fsck finds an object that lost its fs-verity", async () => {
  const path = "/scratch/pulled-05-sizes";
  using repository = await openRepository(path, { requireVerity: true });
  const victim = [...repository.objects.entries()].map(({ objectId }) => objectId ?? "").at(0) ?? "";
  const file = repository.objects.path(victim);
  const copy = join(dirname(file), "copy");
  writeFileSync(copy, readFileSync(file));
  renameSync(copy, file);
  const report = await checkRepository(repository);
  assert.equal(report.objectsCorrupted, 1);
  assert.match(report.errors.map(findingText)[0] ?? "", /^object-verity-missing: objects\//);
});
