/** `repo mount`: the kernel mounts an image, and of a secure repository opens nothing that is not what the image says. */
import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { Protection } from "../../../src/objects/index.ts";
import { enableVerity, runTool } from "../../../src/platform/index.ts";
import { directoryTree, initRepository, storeTreeImages } from "../../../src/repository/index.ts";
import { ALGORITHM_NUMBER, verityDigest } from "../../../src/verity/index.ts";
import { run } from "../../cli/run-verb.ts";

const LARGE = Buffer.alloc(300_000, "large ");
const LARGE_ID = verityDigest(LARGE, "sha512");
const MOUNTPOINT = "/run/mounted";

interface MadeRepository {
  readonly path: string;
  readonly imageId: string;
  readonly largePath: string;
}

/** A repository in `parent` with an image named "my" of a small tree. */
async function makeRepository(parent: string, protection: Protection): Promise<MadeRepository> {
  const path = join(parent, "repo");
  const root = join(parent, "root");
  mkdirSync(join(root, "usr"), { recursive: true });
  mkdirSync(MOUNTPOINT, { recursive: true });
  writeFileSync(join(root, "usr/large"), LARGE);
  writeFileSync(join(root, "usr/small"), "small");
  using repository = (await initRepository(path, { protection })).repository;
  const tree = await directoryTree(root, { algorithm: "sha512", repository });
  const imageId = storeTreeImages(repository, tree, "my");
  return { path, imageId, largePath: repository.objects.path(LARGE_ID) };
}

/** The file system, source and options of what is mounted there, or undefined. */
function mountedThere():
  | { readonly type: string; readonly source: string; readonly options: readonly string[] }
  | undefined {
  const line = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((text) => text.includes(` ${MOUNTPOINT} `));
  const [type = "", source = "", options = ""] = line?.split(" - ")[1]?.split(" ") ?? [];
  return line === undefined ? undefined : { type, source, options: options.split(",") };
}

/** Mounts, runs `work`, unmounts. */
async function mounted(words: readonly string[], work: () => void | Promise<void>): Promise<void> {
  const result = await run("repo", "mount", ...words);
  assert.deepEqual(result, { exitCode: 0, out: "", err: "" });
  try {
    await work();
  } finally {
    await runTool("umount", [MOUNTPOINT]);
  }
  // Neither the image below nor its directory is left anywhere.
  assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), / - erofs /);
  assert.deepEqual(
    readdirSync("/tmp").filter((name) => name.startsWith("sealroot-mount-")),
    [],
  );
}

function assertContents(): void {
  assert.equal(readFileSync(join(MOUNTPOINT, "usr/small"), "utf8"), "small");
  assert.ok(readFileSync(join(MOUNTPOINT, "usr/large")).equals(LARGE));
}

/** Puts another file in the place of an object. */
function replaceObject(path: string, content: Buffer, withVerity: boolean): void {
  const forged = join(dirname(path), "forged");
  writeFileSync(forged, content);
  if (withVerity) {
    const fd = openSync(forged, "r");
    enableVerity(fd, ALGORITHM_NUMBER.sha512);
    closeSync(fd);
  }
  renameSync(forged, path);
}

test("an image of a secure repository is mounted with verity=require, by id and by reference", async () => {
  mkdirSync("/scratch/secure");
  const made = await makeRepository("/scratch/secure", "secure");
  for (const name of ["my", made.imageId]) {
    await mounted(["--repo", made.path, name, MOUNTPOINT], () => {
      const there = mountedThere();
      assert.deepEqual([there?.type, there?.source], ["overlay", `composefs:${made.imageId}`]);
      for (const option of ["ro", "verity=require", "metacopy=on", "redirect_dir=on"]) {
        assert.ok(there?.options.includes(option), `${option} in ${there?.options}`);
      }
      assertContents();
      assert.throws(() => writeFileSync(join(MOUNTPOINT, "new"), ""), { code: "EROFS" });
    });
  }
});

test("an object with other content, or without fs-verity, cannot be opened through the mount", async () => {
  mkdirSync("/scratch/attacked");
  const made = await makeRepository("/scratch/attacked", "secure");
  for (const [content, withVerity] of [
    [Buffer.alloc(LARGE.length, "other "), true],
    [LARGE, false],
  ] as const) {
    replaceObject(made.largePath, content, withVerity);
    await mounted(["--repo", made.path, "my", MOUNTPOINT], () => {
      assert.equal(readFileSync(join(MOUNTPOINT, "usr/small"), "utf8"), "small");
      assert.throws(() => readFileSync(join(MOUNTPOINT, "usr/large")), { code: "EIO" });
    });
  }
});

test("an image that the kernel does not vouch for is not mounted", async () => {
  mkdirSync("/scratch/image");
  const made = await makeRepository("/scratch/image", "secure");
  const object = join(made.path, "objects", made.imageId.slice(0, 2), made.imageId.slice(2));
  replaceObject(object, readFileSync(object), false);
  assert.deepEqual(await run("repo", "mount", "--repo", made.path, "my", MOUNTPOINT), {
    exitCode: 1,
    out: "",
    err: `sealroot: Cannot use object ${made.imageId}: it has no fs-verity, which this repository requires
  where:    ${object}
  expected: fs-verity enabled
  found:    disabled
`,
  });
  assert.equal(mountedThere(), undefined);
});

test("what is written goes to the upper directory, and only with --read-write", async () => {
  const path = "/scratch/secure/repo";
  for (const name of ["up per", "work,dir"]) mkdirSync(join("/scratch/secure", name));
  const layers = ["--upperdir", "/scratch/secure/up per", "--workdir", "/scratch/secure/work,dir"];
  await mounted(["--repo", path, "my", MOUNTPOINT, ...layers], () => {
    assert.throws(() => writeFileSync(join(MOUNTPOINT, "usr/small"), "x"), { code: "EROFS" });
  });
  await mounted(["--repo", path, "my", MOUNTPOINT, ...layers, "--read-write"], () => {
    writeFileSync(join(MOUNTPOINT, "usr/small"), "changed");
    rmSync(join(MOUNTPOINT, "usr/large"));
    assert.deepEqual(readdirSync(join(MOUNTPOINT, "usr")), ["small"]);
  });
  assert.equal(readFileSync("/scratch/secure/up per/usr/small", "utf8"), "changed");
  await mounted(["--repo", path, "my", MOUNTPOINT], assertContents);
});

test("an insecure repository is mounted without verity, by reference too", async () => {
  mkdirSync("/scratch/insecure");
  const made = await makeRepository("/scratch/insecure", "insecure");
  replaceObject(made.largePath, LARGE, false);
  for (const name of ["my", made.imageId]) {
    await mounted(["--repo", made.path, name, MOUNTPOINT], () => {
      assert.ok(mountedThere()?.options.every((option) => !option.startsWith("verity")));
      assertContents();
    });
  }
  const object = join(made.path, "objects", made.imageId.slice(0, 2), made.imageId.slice(2));
  const damaged = readFileSync(object);
  damaged[damaged.length - 1] = 1;
  replaceObject(object, damaged, false);
  const refused = await run("repo", "mount", "--repo", made.path, "my", MOUNTPOINT);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.err, /^sealroot: Cannot read object [0-9a-f]{128}: its content has the digest [0-9a-f]{128}\n/);
});

test("where the kernel cannot mount from the file system of the repository, it is said", async () => {
  mkdirSync("/run/memory");
  const made = await makeRepository("/run/memory", "insecure");
  assert.deepEqual(await run("repo", "mount", "--repo", made.path, "my", MOUNTPOINT), {
    exitCode: 1,
    out: "",
    err: `sealroot: Cannot mount image ${made.imageId} on ${MOUNTPOINT}: this kernel cannot mount EROFS from a file of the repository's file system
  Linux 6.12 can, from ext4, btrfs and xfs, with EROFS_FS_BACKED_BY_FILE and OVERLAY_FS
`,
  });
});
