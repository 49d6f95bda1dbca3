/** Rolling back, pinning, deleting and making room on a sealed host with two deployments, under Secure Boot. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { STICK, stickOf } from "./image-disk.ts";
import { RunningHost } from "./running-host.ts";
import { type SealedExample, sealedExample } from "./sealed-example.ts";
import { type VariantImage, variantImage } from "./variant-image.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

/** Every file and link of ESP, state and repository: what it is, its path there, its length. */
const LIST = `mkdir -p /run/esp && mount /dev/vda2 /run/esp
(cd /run/esp && find . -type f -printf '%y %P %s\\n'
cd /sysroot && find state/deploy composefs ! -type d -printf '%y %P %s\\n') | sort
umount /run/esp`;

describe("a sealed host with two deployments", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let second: VariantImage;
  let host: RunningHost;

  const menu = async () => {
    const { status } = await host.json("status");
    return [status.booted, status.rollback, ...(status.otherDeployments ?? [])].map(
      (deployment) => deployment?.composefs.verity,
    );
  };

  before(async () => {
    example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "rollback" });
    const images = join(directory.path, "images");
    mkdirSync(images);
    second = await variantImage(example, images, { name: "second", files: { "usr/share/second": "2\n".repeat(5000) } });
    host = await RunningHost.make(example, { stick: await stickOf(images) });
    await host.start();
    await host.run("switch", "--insecure-policy", "--quiet", "--transport", "oci", `${STICK}/second-sealed:second`);
    await host.restart();
  });
  after(async () => {
    await host?.remove();
    directory?.remove();
  });

  test("everything is in use: gc removes nothing", async () => {
    assert.equal(await host.root(), `composefs:${second.deploymentId}`);
    const before = await host.text(LIST);
    const { bytes, bootFiles, state, repository, problems } = await host.json("gc");
    assert.deepEqual([bytes, bootFiles, state, repository.objectsRemoved, problems], [0, [], [], 0, []]);
    assert.equal(await host.text(LIST), before);
    assert.equal(
      await host.run("internals", "composefs-gc", "--assert-no-op", "--prune-repo", "--quiet"),
      "Dry run (no files deleted)\nObjects: 0 removed (0 bytes)\n",
    );
  });

  test("two rollbacks restore every boot entry", async () => {
    const before = await host.text(LIST);
    const mounts = await host.text("sort /proc/self/mountinfo");
    assert.equal(await host.run("rollback"), "Next boot: rollback deployment\n");
    assert.equal((await host.try("status", "--exit-code")).exitCode, 5);
    assert.equal(
      await host.run("rollback"),
      "notice: Reverting queued rollback state\nNext boot: current deployment\n",
    );
    assert.equal(await host.text(LIST), before);
    assert.equal(await host.text("sort /proc/self/mountinfo"), mounts);
  });

  test("a pinned deployment is not deleted", async () => {
    const prefix = example.deploymentId.slice(0, 12);
    assert.deepEqual(await host.json("pin", prefix), {
      deploymentId: example.deploymentId,
      pinned: true,
      changed: true,
    });
    assert.equal((await host.json("status")).status.rollback.pinned, true);
    const { exitCode, stderr } = await host.try("delete-deployment", prefix);
    assert.equal(exitCode, 1);
    assert.match(stderr, /it is pinned\n {2}let go of it first: sealroot unpin /);
    assert.deepEqual(await host.json("unpin", prefix), {
      deploymentId: example.deploymentId,
      pinned: false,
      changed: true,
    });
  });

  test("the other deployment is booted after a rollback", async () => {
    const outcome = await host.json("rollback", example.deploymentId.slice(0, 8));
    assert.deepEqual(outcome, { deploymentId: example.deploymentId, isBooted: false, reverted: false, dropped: null });
    await host.restart();
    assert.equal(await host.root(), `composefs:${example.deploymentId}`);
    assert.deepEqual(await menu(), [example.deploymentId, second.deploymentId]);
  });

  test("a deleted deployment is gone to the last byte, and what runs is whole", async () => {
    const before = (await host.text(LIST)).split("\n");
    const { wasStaged, collection } = await host.json("delete-deployment", second.deploymentId);
    assert.deepEqual([wasStaged, collection.isIncomplete, collection.problems], [false, false, []]);
    const after = new Set((await host.text(LIST)).split("\n"));
    const gone = before.filter((line) => !after.has(line));
    const bytesOf = (line: string) => Number(line.slice(line.lastIndexOf(" ") + 1));
    const files = gone.filter((line) => line.startsWith("f "));
    const entries = files.filter((line) => line.startsWith("f loader/entries/"));
    const sum = (lines: readonly string[]) => lines.reduce((total, line) => total + bytesOf(line), 0);
    assert.equal(entries.length, 1);
    assert.equal(sum(files) - sum(entries), collection.bytes);
    assert.ok(!gone.some((line) => line.includes(example.deploymentId)));
    assert.deepEqual(await menu(), [example.deploymentId, undefined]);
    await host.run("repo", "fsck", "--repo", "/sysroot/composefs", "--quiet");
    await host.restart();
    assert.equal(await host.root(), `composefs:${example.deploymentId}`);
    assert.equal((await host.json("gc", "--dry-run")).bytes, 0);
  });
});
