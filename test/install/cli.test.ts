import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { baseFiles, sealImage } from "./sealed-image.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const NOBODY = 65534;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-install-cli-"));
// Another user must get in; mkdtemp makes directories of mode 0700.
chmodSync(scratch, 0o755);
after(() => rmSync(scratch, { recursive: true, force: true }));

interface Outcome {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line; `onError` sees standard error as it comes and may end the process. */
function sealroot(
  args: readonly string[],
  options: { uid?: number; onError?: (text: string, kill: (signal: NodeJS.Signals) => void) => void } = {},
): Promise<Outcome> {
  const identity = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  const child = spawn(process.execPath, [MAIN, ...args], { ...identity, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
    options.onError?.(stderr, (signal) => child.kill(signal));
  });
  return new Promise((resolve) => {
    child.once("close", (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
}

mkdirSync(join(scratch, "image"));
const sealed = await sealImage(join(scratch, "image"), baseFiles());

test("install to-disk prints where the disk is and what is on it", async () => {
  const target = join(scratch, "disk.img");
  const args = ["install", "to-disk", target, "--source-imgref", sealed.reference, "--size", "1200M"];
  const { exitCode, stdout, stderr } = await sealroot([...args, "--target-imgref", "quay.io/example/os:1"]);
  assert.equal(exitCode, 0, stderr);
  const lines = stdout.split("\n");
  assert.match(lines[0] ?? "", new RegExp(`^disk {8}${target} \\(1\\.17 GiB, `));
  assert.equal(lines[1], `deployment  ${sealed.deploymentId}`);
  assert.equal(lines[3], "upgrades    docker://quay.io/example/os:1");
  assert.equal(lines[5], "protection  sealed, fs-verity required");
  assert.equal(lines[6], "Installation complete!");
});

test("the accepted options of bootc change nothing", async () => {
  const target = join(scratch, "bootc.img");
  const args = ["install", "to-disk", "--via-loopback", "--composefs-backend", "--generic-image", "--filesystem=ext4"];
  const { exitCode, stdout } = await sealroot([
    ...args,
    ...["--bootloader=systemd", "--wipe", "--source-imgref", sealed.reference, "--size=1200M", "--json", target],
  ]);
  assert.equal(exitCode, 0);
  const { path, deploymentId } = JSON.parse(stdout);
  assert.deepEqual({ path, deploymentId }, { path: target, deploymentId: sealed.deploymentId });
});

const refusals: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ["a kernel argument", ["--karg", "quiet"], 1, /Cannot use externally specified kernel arguments with UKI/],
  ["xfs", ["--filesystem", "xfs"], 1, /Specified filesystem xfs does not support fs-verity/],
  ["btrfs", ["--filesystem", "btrfs"], 1, /only ext4 can be made without mounting it/],
  ["another boot loader", ["--bootloader", "grub"], 1, /only systemd starts sealed images/],
  ["encryption", ["--block-setup", "tpm2-luks"], 1, /Cannot set up tpm2-luks/],
  ["another stateroot", ["--stateroot", "other"], 1, /Cannot use the stateroot other/],
  ["selinux=0", ["--disable-selinux"], 1, /Cannot add selinux=0/],
  ["a size that is none", ["--size", "big"], 2, /"big" is not a size/],
  ["an unknown transport", ["--target-transport", "ftp", "--target-imgref", "x"], 2, /not a known transport/],
  ["an option that does not exist", ["--no-such-option"], 2, /no-such-option/],
];

for (const [name, args, exitCode, message] of refusals) {
  test(`refused with one clear error: ${name}`, async () => {
    const target = join(scratch, "refused.img");
    const given = ["install", "to-disk", target, "--source-imgref", sealed.reference, "--size", "2G", ...args];
    const outcome = await sealroot(given);
    assert.match(outcome.stderr, message);
    assert.equal(outcome.exitCode, exitCode);
    assert.ok(!existsSync(target));
  });
}

test("without a source the command says how to name one", async () => {
  const outcome = await sealroot(["install", "to-disk", join(scratch, "x.img"), "--size", "2G"]);
  assert.equal(outcome.exitCode, 2);
  assert.match(outcome.stderr, /--source-imgref is not given/);
});

test("install print-configuration prints one line of JSON", async () => {
  const folder = join(scratch, "etc/bootc/install");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "10-test.toml"), '[install]\nkargs = ["quiet"]\nroot-fs-type = "ext4"\nunknown = 1\n');
  const outcome = await sealroot(["install", "print-configuration", "--all", "--root", scratch]);
  assert.equal(outcome.exitCode, 0, outcome.stderr);
  const { kargs, "root-fs-type": rootType, stateroot } = JSON.parse(outcome.stdout);
  assert.deepEqual({ kargs, rootType, stateroot }, { kargs: ["quiet"], rootType: "ext4", stateroot: null });
  assert.equal(outcome.stderr, `warning: ${join(folder, "10-test.toml")}: Unknown key install.unknown\n`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} in the middle leaves neither disk nor working files`, async () => {
    const folder = join(scratch, signal);
    mkdirSync(folder);
    const target = join(folder, "disk.img");
    const args = ["--source-imgref", sealed.reference, "--size", "2G", "--progress", "json"];
    const outcome = await sealroot(["install", "to-disk", target, ...args], {
      onError: (text, kill) => text.includes("write the root file system") && kill(signal),
    });
    assert.equal(outcome.signal, signal, outcome.stderr);
    assert.deepEqual(readdirSync(folder), []);
  });
}

test("an ordinary user without subordinate ids makes the same disk", { skip: notRoot() }, async () => {
  const folder = join(scratch, "nobody");
  mkdirSync(folder);
  chownSync(folder, NOBODY, NOBODY);
  const target = join(folder, "disk.img");
  const args = ["install", "to-disk", target, "--source-imgref", sealed.reference, "--size", "1200M"];
  const outcome = await sealroot(args, { uid: NOBODY });
  assert.equal(outcome.exitCode, 0, outcome.stderr);
  assert.deepEqual(readdirSync(folder), ["disk.img"]);
});

/** Only root can become another user; everybody else is one already, and ran the tests above as one. */
function notRoot(): string | false {
  return process.getuid?.() === 0 ? false : "not started as root: the tests above ran as an ordinary user";
}
