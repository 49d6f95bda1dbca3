/** What `install mount` refuses before it mounts anything; mounting itself is tested in a guest: test/guest/install-mount.test.ts. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { run } from "../cli/run-verb.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-mount-test-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const isRoot = process.geteuid?.() === 0;

const mount = (...words: string[]) => run("install", "mount", ...words);

test("which deployment must be said, once", async () => {
  const unsaid = await mount("--sysroot", scratch, scratch);
  assert.deepEqual(
    [unsaid.exitCode, unsaid.err.split("\n")[0]],
    [2, "sealroot: Cannot mount a deployment: it is not said which"],
  );
  const twice = await mount("--sysroot", scratch, "--latest", "--deployment", "abcd", scratch);
  assert.deepEqual(
    [twice.exitCode, twice.err.split("\n")[0]],
    [2, "sealroot: --latest and --deployment exclude each other"],
  );
});

test("without root it is refused, and what needs none is named", { skip: isRoot && "started as root" }, async () => {
  const { exitCode, err } = await mount("--sysroot", scratch, "--latest", scratch);
  assert.equal(exitCode, 1);
  assert.match(err, /mounting needs root\n.*sealroot install edit changes a disk file without/s);
});

test(
  "directories that are none, and a root without deployments, are named",
  { skip: !isRoot && "not started as root" },
  async () => {
    const target = join(scratch, "target");
    mkdirSync(target);
    writeFileSync(join(scratch, "file"), "");
    const reason = async (...words: string[]) => {
      const { exitCode, err } = await mount("--latest", ...words);
      assert.equal(exitCode, 1);
      return err.split("\n")[0];
    };
    assert.match((await reason("--sysroot", join(scratch, "none"), target)) ?? "", /as the root of the disk/);
    assert.match(
      (await reason("--sysroot", scratch, join(scratch, "file"))) ?? "",
      /as the target: it is not a directory$/,
    );
    const esp = join(scratch, "esp");
    mkdirSync(esp);
    assert.equal(
      await reason("--sysroot", scratch, "--esp", esp, target),
      "sealroot: Cannot choose a deployment: the disk has none",
    );
  },
);
