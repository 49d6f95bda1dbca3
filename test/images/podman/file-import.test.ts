/** Files of a store become objects without being copied, where the file system can share blocks. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type PullOptions, pullImage } from "../../../src/imagestore/index.ts";
import { runTool } from "../../../src/platform/index.ts";
import { checkRepository, initRepository, openRepository } from "../../../src/repository/index.ts";
import { pulledIds, skopeoCopy } from "../../imagestore/containers.ts";
import { outOfLayer } from "../../imagestore/layer-prefix.ts";
import { file, layeredImage } from "../../imagestore/layered-image.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import { withXfs } from "../../repository/xfs.ts";
import * as stores from "./stores.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let layout: string;
before(async () => {
  assert.equal(process.getuid?.(), 0, "stores and file systems are made by root: run these tests as root");
  scratch = await scratchDirectory();
  const [large, medium] = [randomBytes(LARGE_BYTES), randomBytes(200_001)];
  const lower = [file("tiny", Buffer.from("x")), file("small", randomBytes(5000)), file("large", large)];
  const upper = [file("medium", medium), file("same", large), file("edge", randomBytes(64 << 10))];
  layout = (await layeredImage(join(scratch.path, "layout"), [lower, upper])).reference;
});
after(() => {
  stores.unmountBelow(scratch.path);
  return scratch.remove();
});

const LARGE_BYTES = 24 << 20;
/** Runs on a fresh XFS; whatever the tools mounted below it is taken away again. */
function onXfs(work: (mounted: string) => Promise<void>): Promise<void> {
  return withXfs(scratch.path, async (mounted) => {
    try {
      await work(mounted);
    } finally {
      stores.unmountBelow(mounted);
    }
  });
}

async function pulled(path: string, reference: string, options: PullOptions = {}) {
  using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
  const { configDigest, imageIds, statistics } = await pullImage(repository, reference, { name: "it", ...options });
  const { errors } = await checkRepository(repository);
  return { ids: { configDigest, imageIds: [...imageIds.values()] }, statistics, errors };
}

test("objects share the blocks of the store's files, and stay independent of them", async () => {
  await onXfs(async (mounted) => {
    const store = join(mounted, "store");
    const reference = stores.referenceTo(store, "example.com/x:v");
    skopeoCopy(layout, reference);
    await runTool("sync", ["-f", mounted]);
    const freeBefore = statfsSync(mounted).bavail;
    const path = join(mounted, "repository");
    const { ids, statistics, errors } = await pulled(path, reference);
    await runTool("sync", ["-f", mounted]);
    const usedBytes = (freeBefore - statfsSync(mounted).bavail) * statfsSync(mounted).bsize;
    assert.deepEqual(ids, await pulledIds(scratch.path, layout));
    assert.deepEqual([statistics.newObjects, statistics.presentObjects, errors], [4, 1, []]);
    assert.equal(statistics.storedBytes, LARGE_BYTES + 200_001 + 5000 + (64 << 10));
    assert.ok(usedBytes < LARGE_BYTES / 2, `${usedBytes} bytes were used`);
    const { stdout } = await runTool("find", [store, "-name", "large", "-type", "f"]);
    writeFileSync(stdout.toString().trim(), Buffer.alloc(LARGE_BYTES, "other "));
    using repository = await openRepository(path);
    assert.deepEqual((await checkRepository(repository)).errors, []);
    const message = /^Cannot rebuild layer \w+: usr\/large has changed since it was pulled$/;
    await assert.rejects(pulled(join(mounted, "again"), reference), outOfLayer({ code: "corrupt", message }));
  });
});

test("where neither blocks nor inodes can be shared, files are copied, even when links are asked for", async () => {
  const reference = stores.referenceTo(join(scratch.path, "store"), "example.com/x:v");
  skopeoCopy(layout, reference);
  const expected = await pulledIds(scratch.path, layout);
  for (const linkFiles of [false, true]) {
    const { ids, statistics, errors } = await pulled(join(scratch.path, `copied-${linkFiles}`), reference, {
      linkFiles,
    });
    assert.deepEqual(ids, expected);
    assert.deepEqual([statistics.newObjects, statistics.presentObjects, errors], [4, 1, []]);
    assert.equal(statistics.fetchedBytes, 0);
  }
});
