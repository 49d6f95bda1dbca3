/** `container split-kernel-and-rootfs`. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { run } from "../cli/run-verb.ts";
import { buildRoot, RELEASE } from "./build-root.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-split-"));
after(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);
const split = (root: string, output: string) =>
  run("container", "split-kernel-and-rootfs", "--rootfs", root, "--output", output);
const timeOf = (path: string) => statSync(path, { bigint: true }).mtimeNs;

test("kernel, initramfs and checksum are moved, and the directories keep their times", async () => {
  using build = await buildRoot("2024-02-03 04:05:06.7 +0000");
  const modules = join(build.root, "usr/lib/modules", RELEASE);
  execFileSync("touch", ["--date", "2024-01-01 00:00:00.25 +0000", modules]);
  execFileSync("touch", ["--date", "2023-01-01 00:00:00.5 +0000", join(build.root, "sysroot")]);
  const [kernel, before] = [readFileSync(join(modules, "vmlinuz")), timeOf(modules)];
  const others = readdirSync(modules).filter((name) => !["vmlinuz", "initramfs.img", ".vmlinuz.hmac"].includes(name));
  assert.deepEqual(await split(build.root, at("out")), { exitCode: 0, out: "", err: "" });
  assert.deepEqual(readdirSync(at("out")), [RELEASE]);
  assert.deepEqual(readdirSync(at(`out/${RELEASE}`)).sort(), [".vmlinuz.hmac", "initramfs.img", "vmlinuz"]);
  assert.deepEqual(readFileSync(at(`out/${RELEASE}/vmlinuz`)), kernel);
  assert.deepEqual(readdirSync(modules), others);
  assert.equal(timeOf(modules), before);
  const usr = timeOf(join(build.root, "usr"));
  assert.deepEqual([timeOf(join(build.root, "boot")), timeOf(join(build.root, "sysroot"))], [usr, usr]);
  const again = await split(build.root, at("out"));
  assert.equal(again.exitCode, 1);
  assert.match(again.err, /No kernel found in rootfs/);
});

test("another file system is no obstacle", { skip: !existsSync("/dev/shm") && "no second file system" }, async () => {
  using build = await buildRoot();
  const output = mkdtempSync("/dev/shm/sealroot-split-");
  try {
    assert.notEqual(statSync(output).dev, statSync(build.root).dev);
    const { exitCode, err } = await split(build.root, output);
    assert.equal(exitCode, 0, err);
    assert.deepEqual(readdirSync(join(output, RELEASE)).sort(), [".vmlinuz.hmac", "initramfs.img", "vmlinuz"]);
    assert.equal(statSync(join(output, RELEASE, "vmlinuz")).mode & 0o777, 0o644);
  } finally {
    rmSync(output, { recursive: true });
  }
});

test("what was interrupted after the first file is completed", async () => {
  using build = await buildRoot();
  mkdirSync(at(`half/${RELEASE}`), { recursive: true });
  writeFileSync(at(`half/${RELEASE}/initramfs.img`), "moved before");
  rmSync(join(build.root, "usr/lib/modules", RELEASE, "initramfs.img"));
  const { exitCode, err } = await split(build.root, at("half"));
  assert.equal(exitCode, 0, err);
  assert.equal(readFileSync(at(`half/${RELEASE}/initramfs.img`), "utf8"), "moved before");
  assert.ok(existsSync(at(`half/${RELEASE}/vmlinuz`)));
});

test("a UKI, several kernels and a root that is a file are refused, and nothing is moved", async () => {
  using build = await buildRoot();
  mkdirSync(join(build.root, "usr/lib/modules/6.0"));
  writeFileSync(join(build.root, "usr/lib/modules/6.0/vmlinuz"), "x");
  assert.match((await split(build.root, at("no"))).err, /it has 6\.0 and 6\.12\.1-test/);
  mkdirSync(join(build.root, "boot/EFI/Linux"), { recursive: true });
  writeFileSync(join(build.root, "boot/EFI/Linux/os.efi"), "x");
  assert.match((await split(build.root, at("no"))).err, /UKIs are not supported/);
  writeFileSync(at("file"), "");
  assert.match((await split(at("file"), at("no"))).err, /it is not a directory/);
  assert.ok(!existsSync(at("no")));
});
