import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pullImage, untagImage } from "../../src/imagestore/index.ts";
import { type ErofsVersion, initRepository, type Repository } from "../../src/repository/index.ts";
import { run } from "../cli/run-verb.ts";
import { bootableMembers, file, layeredImage } from "./layered-image.ts";
import { scratchDirectory } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

async function newRepository(name: string, erofsVersion: ErofsVersion = 1): Promise<Repository> {
  const settings = { algorithm: "sha512", erofsVersion, protection: "insecure" } as const;
  return (await initRepository(join(scratch.path, name), settings)).repository;
}

async function linked(repository: Repository, id: string) {
  const { exitCode, out, err } = await run("repo", "linked-erofs-images", "--repo", repository.path, id);
  return { exitCode, err, images: exitCode === 0 ? JSON.parse(out) : undefined };
}

const PLAIN = { bootable: false, xattrMode: null };
const BOOT = { bootable: true, xattrMode: "allowlist-only" };

test("repo linked-erofs-images prints cfsctl's JSON for any image of an OCI image, tagged or not", async () => {
  using repository = await newRepository("all");
  const { reference } = await layeredImage(join(scratch.path, "all-layout"), [bootableMembers()]);
  const other = await layeredImage(join(scratch.path, "other-layout"), [[file("other", Buffer.alloc(100))]]);
  const otherImage = await pullImage(repository, other.reference, { name: "other" });
  const first = await pullImage(repository, reference, { name: "os", bootable: true });
  const [plain, boot] = [first.imageIds.get(1) ?? "", first.bootImageIds.get(1) ?? ""];
  assert.deepEqual((await linked(repository, plain)).images, [
    { id: plain, ...PLAIN, version: 1 },
    { id: boot, ...BOOT, version: 1 },
  ]);
  await pullImage(repository, reference, { name: "os", bootable: true, keepUserXattrs: true });
  await pullImage(repository, reference, { name: "os", bootable: true, bootTimes: "seconds" });
  untagImage(repository, "os");
  const { images } = await linked(repository, boot.toUpperCase());
  const [, , seconds, kept] = images;
  assert.deepEqual(images, [
    { id: plain, ...PLAIN, version: 1 },
    { id: boot, ...BOOT, version: 1 },
    { id: seconds.id, ...BOOT, version: 1, bootTimes: "seconds" },
    { id: kept.id, ...BOOT, version: 1, xattrMode: "keep-user-xattrs" },
  ]);
  for (const { id } of images) assert.deepEqual((await linked(repository, id)).images, images);
  assert.deepEqual((await linked(repository, otherImage.imageIds.get(1) ?? "")).images, [
    { id: otherImage.imageIds.get(1), ...PLAIN, version: 1 },
  ]);
});

test("repo linked-erofs-images asks an image's header for its version, and the name when there is no header", async () => {
  for (const version of [0, 1, 2] as const) {
    using repository = await newRepository(`version-${version}`, version);
    const { reference } = await layeredImage(join(scratch.path, `layout-${version}`), [bootableMembers()]);
    const pulled = await pullImage(repository, reference, { name: "os", bootable: true });
    const [plain, boot] = [pulled.imageIds.get(version) ?? "", pulled.bootImageIds.get(version) ?? ""];
    const expected = (ofBoot: number) => [
      { id: plain, ...PLAIN, version },
      { id: boot, ...BOOT, version: ofBoot },
    ];
    assert.deepEqual((await linked(repository, boot)).images, expected(version));
    truncateSync(repository.objects.path(boot), 7);
    assert.deepEqual((await linked(repository, boot)).images, expected(version === 2 ? 2 : 1));
  }
});

test("repo linked-erofs-images of an unknown id is one line", async () => {
  using repository = await newRepository("unknown");
  const { exitCode, err } = await linked(repository, "0".repeat(128));
  assert.equal(exitCode, 1);
  assert.match(err, /^sealroot: Cannot find the image 0{128}: no OCI image in the repository has it\n/);
});
