/** Boot images by every rule there has been, of one image whose times and attributes make them all different. */
import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  type BootImage,
  bootImageById,
  bootImages,
  computeImageId,
  describeBootImage,
  findImage,
  imageKey,
  pullImage,
  restoreImage,
} from "../../src/imagestore/index.ts";
import {
  checkRepository,
  collectGarbage,
  type ErofsVersion,
  initRepository,
  openRepository,
  type Repository,
  repairRepository,
} from "../../src/repository/index.ts";
import { run } from "../cli/run-verb.ts";
import { bootableMembers, layeredImage } from "./layered-image.ts";
import { scratchDirectory } from "./vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let reference = "";
before(async () => {
  scratch = await scratchDirectory();
  reference = (await layeredImage(join(scratch.path, "layout"), [bootableMembers()])).reference;
});
after(() => scratch.remove());

async function newRepository(name: string, version: ErofsVersion = 1): Promise<Repository> {
  const path = join(scratch.path, name);
  const settings = { algorithm: "sha512", erofsVersion: version, protection: "insecure" } as const;
  return (await initRepository(path, settings)).repository;
}

async function candidates(repository: Repository, name: string): Promise<BootImage[]> {
  const made: BootImage[] = [];
  for await (const image of bootImages(repository, await findImage(repository, name))) made.push(image);
  return made;
}

/** The rules with their names in a configuration, likely ones first. */
const RULES = [
  ["version 1", "composefs.image.boot.v1"],
  ["version 2", "composefs.image.boot"],
  [
    "version 1, /boot and /sysroot with the seconds of /usr only (composefs before 0.9.3)",
    "composefs.image.boot.v1.times=seconds",
  ],
  ["version 1, user.* attributes kept", "composefs.image.boot.v1.xattrs=keep-user-xattrs"],
  ["version 2, user.* attributes kept", "composefs.image.boot.xattrs=keep-user-xattrs"],
  [
    "version 1, user.* attributes kept, /boot and /sysroot with the seconds of /usr only (composefs before 0.9.3)",
    "composefs.image.boot.v1.times=seconds.xattrs=keep-user-xattrs",
  ],
] as const;

test("bootImages() makes one image by each rule, the likely ones first, as compute-id makes them", async () => {
  using repository = await newRepository("candidates");
  await pullImage(repository, reference, { name: "os" });
  const made = await candidates(repository, "os");
  assert.deepEqual(
    made.map((image) => [describeBootImage(image), imageKey({ ...image, bootable: true })]),
    RULES,
  );
  assert.equal(new Set(made.map(({ id }) => id)).size, RULES.length);
  for (const { version, keepUserXattrs, bootTimes, id } of made) {
    using inVersion = await openRepository(repository.path, { erofsVersion: version });
    assert.equal(await computeImageId(inVersion, "os", { bootable: true, keepUserXattrs, bootTimes }), id);
  }
});

test("bootImages() begins with the versions of the repository", async () => {
  for (const [version, expected] of [
    [2, [2, 1, 1, 2, 1, 1]],
    [0, [0, 1, 2, 0, 1, 0, 1, 2, 0, 1]],
  ] as const) {
    using repository = await newRepository(`version-${version}`, version);
    await pullImage(repository, reference, { name: "os" });
    assert.deepEqual(
      (await candidates(repository, "os")).map((image) => image.version),
      expected,
    );
  }
});

test("image pull --bootable records the rule it is told, beside the other", async () => {
  using repository = await newRepository("asked");
  const first = await pullImage(repository, reference, { name: "os", bootable: true });
  const second = await pullImage(repository, reference, { name: "os", bootable: true, bootTimes: "seconds" });
  const [full, seconds] = [first.bootImageIds.get(1), second.bootImageIds.get(1)];
  assert.notEqual(full, seconds);
  const { images } = await findImage(repository, "os");
  assert.equal(images.get("composefs.image.boot.v1"), full);
  assert.equal(images.get("composefs.image.boot.v1.times=seconds"), seconds);
  for (const [bootTimes, id] of [
    ["full", full],
    ["seconds", seconds],
  ] as const) {
    const again = await pullImage(repository, reference, { name: "os", bootable: true, bootTimes });
    assert.equal(again.bootImageIds.get(1), id);
    assert.equal(await computeImageId(repository, "os", { bootable: true, keepUserXattrs: false, bootTimes }), id);
  }
});

test("image pull --expected-digest finds an image by any rule, names the rule, and gc keeps it", async () => {
  using repository = await newRepository("expected");
  await pullImage(repository, reference, { name: "os" });
  const made = await candidates(repository, "os");
  const said = [
    "(xattr-mode=allowlist-only, format-version=V1)",
    "(xattr-mode=allowlist-only, format-version=V2)",
    "(xattr-mode=allowlist-only, format-version=V1, boot-times=seconds)",
    "(xattr-mode=keep-user-xattrs, format-version=V1)",
    "(xattr-mode=keep-user-xattrs, format-version=V2)",
    "(xattr-mode=keep-user-xattrs, format-version=V1, boot-times=seconds)",
  ];
  const repo = ["--repo", repository.path];
  for (const [index, { id }] of made.entries()) {
    const words = ["image", "pull", "--bootable", "--expected-digest", id.toUpperCase(), reference, "os", ...repo];
    const { exitCode, out, err } = await run(...words);
    assert.equal(exitCode, 0, err);
    assert.match(out, new RegExp(`^Boot image: ${id} `, "m"));
    assert.ok(out.includes(`Boot image: ${id} ${said[index]}\n`), out);
  }
  const { images } = await findImage(repository, "os");
  for (const [index, { id }] of made.entries()) assert.equal(images.get(RULES[index]?.[1] ?? ""), id);
  await collectGarbage(repository);
  assert.deepEqual(
    made.map(({ id }) => repository.images.find(id)),
    made.map(({ id }) => id),
  );
  assert.deepEqual((await collectGarbage(repository)).paths, []);
  assert.deepEqual((await checkRepository(repository)).errors, []);
});

test("image pull --expected-digest with an id that no rule gives records nothing", async () => {
  using repository = await newRepository("unexpected");
  const words = ["image", "pull", "--bootable", "--expected-digest", "0".repeat(128), reference, "os"];
  const { exitCode, err } = await run(...words, "--repo", repository.path);
  assert.equal(exitCode, 1);
  assert.match(err, /^sealroot: Cannot make the boot image 0{128}: the image's layers give others$/m);
  assert.ok(err.endsWith(`  to see what was changed: sealroot diff ${"0".repeat(128)} ${reference}\n`), err);
  await assert.rejects(findImage(repository, "os"), { code: "not-found" });
  assert.deepEqual(repository.images.entries(), []);
});

test("options about the boot variant are refused where there is none, or with a wrong id", async () => {
  using repository = await newRepository("refused");
  const refusals: [string[], RegExp][] = [
    [["image", "pull", "--boot-times", "seconds", reference], /^sealroot: --boot-times needs --bootable$/m],
    [["image", "compute-id", "--boot-times", "full", "os"], /^sealroot: --boot-times needs --bootable$/m],
    [["repo", "compute-id", "--boot-times", "full", scratch.path], /^sealroot: --boot-times needs --bootable$/m],
    [
      ["image", "pull", "--expected-digest", "0".repeat(128), reference],
      /^sealroot: --expected-digest needs --bootable$/m,
    ],
    [["image", "pull", "--bootable", "--expected-digest", "0", reference], /--expected-digest: "0" is not the id of/],
    [["image", "pull", "--bootable", "--boot-times", "half", reference], /full|seconds/],
  ];
  for (const [words, message] of refusals) {
    const { exitCode, err } = await run(...words, "--repo", repository.path);
    assert.equal(exitCode, 2, words.join(" "));
    assert.match(err, message);
  }
});

test("a repair makes boot images by every rule again, even of versions that the repository does not make", async () => {
  using repository = await newRepository("repaired");
  await pullImage(repository, reference, { name: "os" });
  const made = await candidates(repository, "os");
  for (const wanted of made) {
    await pullImage(repository, reference, {
      name: "os",
      chooseBootImages: async (_, all) => [await bootImageById(wanted.id, all)],
    });
  }
  const bytes = made.map(({ id }) => repository.objects.read(id));
  const before = (await findImage(repository, "os")).images;
  for (const { id } of made) truncateSync(repository.objects.path(id), 3);
  const report = await repairRepository(repository, { restore: () => restoreImage(repository, reference, () => {}) });
  assert.deepEqual(report.after.errors, []);
  assert.deepEqual((await findImage(repository, "os")).images, before);
  assert.deepEqual(
    made.map(({ id }) => repository.objects.read(id)),
    bytes,
  );
});

test("an unchanged image counts only with an image of the wanted version, which its header tells", async () => {
  using repository = await newRepository("shared-key");
  const first = await pullImage(repository, reference, { name: "os", bootable: true });
  using asZero = await openRepository(repository.path, { erofsVersion: 0 });
  const zero = await pullImage(asZero, reference, { name: "os", bootable: true });
  for (const [ids, variant] of [
    [zero.imageIds, { bootable: false, keepUserXattrs: false }],
    [zero.bootImageIds, { bootable: true, keepUserXattrs: false }],
  ] as const) {
    assert.equal(ids.get(0), await computeImageId(asZero, "os", variant));
  }
  assert.notEqual(zero.imageIds.get(0), first.imageIds.get(1));
  // And the other way round.
  const back = await pullImage(repository, reference, { name: "os", bootable: true });
  assert.deepEqual([back.imageIds, back.bootImageIds], [first.imageIds, first.bootImageIds]);
});

test("an image whose EROFS image is cut off is not unchanged: a pull makes it again", async () => {
  using repository = await newRepository("damaged-head");
  const first = await pullImage(repository, reference, { name: "os", bootable: true });
  const id = first.bootImageIds.get(1) ?? "";
  const bytes = repository.objects.read(id);
  for (const length of [0, 3, 15]) {
    truncateSync(repository.objects.path(id), length);
    const again = await pullImage(repository, reference, { name: "os", bootable: true });
    assert.equal(again.bootImageIds.get(1), id);
    assert.deepEqual(repository.objects.read(id), bytes);
  }
});
