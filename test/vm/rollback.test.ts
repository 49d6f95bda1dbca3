/** Rolling back, pinning, deleting and making room on a sealed host with two deployments, under Secure Boot. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { DiskCopy } from "./disk-copy.ts";
import { mountStick, STICK, stickOf } from "./image-disk.ts";
import {
  BOOT_TIMEOUT_MS,
  bootSealed,
  guestText,
  type SealedExample,
  sealedExample,
  systemState,
} from "./sealed-example.ts";
import { type VariantImage, variantImage } from "./variant-image.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const schemaOf = (verb: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../../docs/schema/${verb}.json`), "utf8"));

/** Staging writes a few hundred MB in emulation. */
const STAGE_TIMEOUT_MS = 1_200_000;
/** Every file and link of ESP, state and repository: what it is, its path there, its length. */
const LIST = `mkdir -p /run/esp && mount /dev/vda2 /run/esp
(cd /run/esp && find . -type f -printf '%y %P %s\\n'
cd /sysroot && find state/deploy composefs ! -type d -printf '%y %P %s\\n') | sort
umount /run/esp`;

describe("a sealed host with two deployments", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let second: VariantImage;
  let disk: DiskCopy;
  let stick: string;
  let guest: VirtualMachine;

  const start = async () => {
    guest = await bootSealed(example, disk.path, {
      drives: [
        { path: disk.path, mode: "persist" },
        { path: stick, mode: "read-only" },
      ],
    });
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
    await mountStick(guest);
  };
  /** A machine that starts anew: a warm reset can hang in emulation. */
  const restart = async () => {
    await guest.run("systemctl poweroff --no-block");
    await guest.waitForExit(BOOT_TIMEOUT_MS);
    await guest.stop();
    await start();
  };
  const run = async (...words: string[]) => {
    const { exitCode, stdout, stderr } = await guest.run(`sealroot ${words.join(" ")}`, STAGE_TIMEOUT_MS);
    assert.equal(exitCode, 0, `${words.join(" ")}\n${stdout}\n${stderr}`);
    return stdout.toString();
  };
  const json = async (verb: string, ...words: string[]) => {
    const document = JSON.parse(await run(verb, ...words, "--json", "--quiet"));
    assert.deepEqual(faultsOf(schemaOf(verb), document), []);
    return document;
  };
  const root = () => guestText(guest, "findmnt -no SOURCE /");
  const menu = async () => {
    const { status } = await json("status");
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
    stick = await stickOf(images);
    disk = await DiskCopy.make(example.diskPath);
    await start();
    await run("switch", "--insecure-policy", "--quiet", "--transport", "oci", `${STICK}/second-sealed:second`);
    await restart();
  });
  after(async () => {
    await guest?.stop();
    await disk?.remove();
    directory?.remove();
  });

  test("everything is in use: gc removes nothing", async () => {
    assert.equal(await root(), `composefs:${second.deploymentId}`);
    const before = await guestText(guest, LIST);
    const { bytes, bootFiles, state, repository, problems } = await json("gc");
    assert.deepEqual([bytes, bootFiles, state, repository.objectsRemoved, problems], [0, [], [], 0, []]);
    assert.equal(await guestText(guest, LIST), before);
    assert.equal(
      await run("internals", "composefs-gc", "--assert-no-op", "--prune-repo", "--quiet"),
      "Dry run (no files deleted)\nObjects: 0 removed (0 bytes)\n",
    );
  });

  test("two rollbacks restore every boot entry", async () => {
    const before = await guestText(guest, LIST);
    const mounts = await guestText(guest, "sort /proc/self/mountinfo");
    assert.equal(await run("rollback"), "Next boot: rollback deployment\n");
    assert.equal((await guest.run("sealroot status --exit-code")).exitCode, 5);
    assert.equal(await run("rollback"), "notice: Reverting queued rollback state\nNext boot: current deployment\n");
    assert.equal(await guestText(guest, LIST), before);
    assert.equal(await guestText(guest, "sort /proc/self/mountinfo"), mounts);
  });

  test("a pinned deployment is not deleted", async () => {
    const prefix = example.deploymentId.slice(0, 12);
    assert.deepEqual(await json("pin", prefix), { deploymentId: example.deploymentId, pinned: true, changed: true });
    assert.equal((await json("status")).status.rollback.pinned, true);
    const { exitCode, stderr } = await guest.run(`sealroot delete-deployment ${prefix}`);
    assert.equal(exitCode, 1);
    assert.match(stderr.toString(), /it is pinned\n {2}let go of it first: sealroot unpin /);
    assert.deepEqual(await json("unpin", prefix), { deploymentId: example.deploymentId, pinned: false, changed: true });
  });

  test("the other deployment is booted after a rollback", async () => {
    const outcome = await json("rollback", example.deploymentId.slice(0, 8));
    assert.deepEqual(outcome, { deploymentId: example.deploymentId, isBooted: false, reverted: false, dropped: null });
    await restart();
    assert.equal(await root(), `composefs:${example.deploymentId}`);
    assert.deepEqual(await menu(), [example.deploymentId, second.deploymentId]);
  });

  test("a deleted deployment is gone to the last byte, and what runs is whole", async () => {
    const before = (await guestText(guest, LIST)).split("\n");
    const { wasStaged, collection } = await json("delete-deployment", second.deploymentId);
    assert.deepEqual([wasStaged, collection.isIncomplete, collection.problems], [false, false, []]);
    const after = new Set((await guestText(guest, LIST)).split("\n"));
    const gone = before.filter((line) => !after.has(line));
    const bytesOf = (line: string) => Number(line.slice(line.lastIndexOf(" ") + 1));
    const files = gone.filter((line) => line.startsWith("f "));
    const entries = files.filter((line) => line.startsWith("f loader/entries/"));
    const sum = (lines: readonly string[]) => lines.reduce((total, line) => total + bytesOf(line), 0);
    assert.equal(entries.length, 1);
    assert.equal(sum(files) - sum(entries), collection.bytes);
    assert.ok(!gone.some((line) => line.includes(example.deploymentId)));
    assert.deepEqual(await menu(), [example.deploymentId, undefined]);
    await run("repo", "fsck", "--repo", "/sysroot/composefs", "--quiet");
    await restart();
    assert.equal(await root(), `composefs:${example.deploymentId}`);
    assert.equal((await json("gc", "--dry-run")).bytes, 0);
  });
});
