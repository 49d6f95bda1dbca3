import assert from "node:assert/strict";
import { mkdirSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findTool, runTool, temporaryDirectory } from "../../src/platform/index.ts";
import { checkRepository, initRepository, scanDirectory } from "../../src/repository/index.ts";
import { withXfs } from "../repository/xfs.ts";

const hasXfs = process.getuid?.() === 0 && findTool("mkfs.xfs") !== undefined;
const skip = hasXfs ? false : "a file system with shared blocks needs root and mkfs.xfs (xfsprogs)";

/** One file of each way: inline, too small to clone, cloned, cloned in pieces, and one with the same content again. */
function makeFiles(root: string): Buffer {
  mkdirSync(join(root, "usr"), { recursive: true });
  const large = Buffer.alloc(8 << 20, "large ");
  writeFileSync(join(root, "usr", "tiny"), "x");
  writeFileSync(join(root, "usr", "small"), Buffer.alloc(5000, "small "));
  writeFileSync(join(root, "usr", "medium"), Buffer.alloc(200_001, "medium "));
  writeFileSync(join(root, "usr", "large"), large);
  writeFileSync(join(root, "usr", "same"), large);
  return large;
}

test("files become objects by sharing their blocks, and stay independent of them", { skip }, async () => {
  using directory = temporaryDirectory();
  await withXfs(directory.path, async (mounted) => {
    const root = join(mounted, "root");
    const large = makeFiles(root);
    using repository = (await initRepository(join(mounted, "repo"), { algorithm: "sha256", protection: "insecure" }))
      .repository;
    await runTool("sync", ["-f", mounted]);
    const freeBefore = statfsSync(mounted).bavail;
    const scanned = await scanDirectory(root, { algorithm: "sha256", repository });
    repository.sync();
    const usedBytes = (freeBefore - statfsSync(mounted).bavail) * statfsSync(mounted).bsize;
    assert.deepEqual([scanned.newObjects, scanned.sharedObjects], [3, 2]);
    assert.ok(usedBytes < large.length / 2, `${usedBytes} bytes were used`);
    writeFileSync(join(root, "usr", "large"), Buffer.alloc(large.length, "other "));
    assert.deepEqual((await checkRepository(repository)).errors, []);
    const plain = await scanDirectory(root, { algorithm: "sha256", repository });
    assert.deepEqual([plain.newObjects, plain.sharedObjects], [1, 1]);
  });
});

test("without shared blocks and without fs-verity files are copied, even when links are asked for", async () => {
  using directory = temporaryDirectory();
  const root = join(directory.path, "root");
  makeFiles(root);
  for (const linkFiles of [false, true]) {
    const path = join(directory.path, `repo-${linkFiles}`);
    using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
    const scanned = await scanDirectory(root, { algorithm: "sha256", repository, linkFiles });
    assert.equal(scanned.newObjects, 3);
    if (scanned.sharedObjects > 0) continue; // The temporary directory's file system can do more.
    assert.equal(statSync(join(root, "usr", "large")).nlink, 1);
    writeFileSync(join(root, "usr", "small"), Buffer.alloc(5000, "other "));
    assert.deepEqual((await checkRepository(repository)).errors, []);
  }
});
