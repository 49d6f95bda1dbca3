import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  collectLibraries,
  ELF_MACHINE,
  type FindFile,
  isElf,
  moduleLoadOrder,
  moduleName,
  parseKernelModules,
  readElf,
  writeStaticProgram,
} from "../../src/elf/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { findHere } from "./find-here.ts";

test("readElf() finds what the dynamic loader of this very process found", () => {
  const elf = readElf(readFileSync(process.execPath));
  assert.equal(elf.machine, process.arch === "x64" ? ELF_MACHINE.x86_64 : ELF_MACHINE.aarch64);
  assert.match(elf.interpreter ?? "", /^\/.*\/ld-linux/);
  assert.ok(elf.needed.includes("libc.so.6"));
});

test("collectLibraries() lists a program's loader and every library the loader maps, once", async () => {
  const files = await collectLibraries(["/bin/sh", "/bin/mount", "/bin/sh"], findHere);
  assert.equal(new Set(files.map((file) => file.requestedPath)).size, files.length);
  assert.deepEqual(
    files.slice(0, 2).map((file) => file.role),
    ["program", "loader"],
  );
  const loader = files.find((file) => file.role === "loader");
  const listed = execFileSync(loader?.path ?? "", ["--list", "/bin/mount"], { encoding: "utf8" });
  const expected = [...listed.matchAll(/=> (\S+)/g)].map((match) => realpathSync(match[1] ?? ""));
  const found = new Set(files.map((file) => realpathSync(file.path)));
  assert.ok(expected.length > 1);
  for (const path of expected) assert.ok(found.has(path), `${path} is missing`);
});

test("collectLibraries() names what is missing and who needs it", async () => {
  await assert.rejects(collectLibraries(["/nowhere/qjs"], findHere), {
    code: "not-found",
    message: "Cannot find /nowhere/qjs in the image: needed by the boot program",
  });
  const withoutLibc: FindFile = async (path) => (path.includes("libc.so") ? undefined : findHere(path));
  await assert.rejects(collectLibraries(["/bin/sh"], withoutLibc), {
    message: "Cannot find libc.so.6 in the image: needed by /bin/sh",
  });
});

test("collectLibraries() refuses programs for different CPUs", async () => {
  const programs: Record<string, number> = { "/a": ELF_MACHINE.x86_64, "/b": ELF_MACHINE.aarch64 };
  const find: FindFile = async (path) => ({ path, bytes: writeStaticProgram(programs[path] ?? 0, new Uint8Array(1)) });
  await assert.rejects(collectLibraries(["/a", "/b"], find), { code: "conflict", message: /for another CPU/ });
});

test("readElf() refuses other files, 32-bit files and every cut with a SealrootError", () => {
  assert.equal(isElf(Buffer.from("#!/")), false);
  assert.throws(() => readElf(Buffer.from("#!/bin/sh")), { code: "corrupt", message: /no ELF file/ });
  const program = readFileSync("/bin/sh");
  const small = Uint8Array.from(program.subarray(0, 64));
  small[4] = 1;
  assert.throws(() => readElf(small), { code: "unsupported" });
  for (const length of [5, 17, 40, 63, 100, 700, 5000]) {
    assert.throws(() => readElf(program.subarray(0, length)), SealrootError, `cut at ${length}`);
  }
});

test("readElf() answers or refuses cleanly whatever byte of the headers is changed", () => {
  const program = readFileSync("/bin/sh");
  for (let at = 0; at < 1024; at++) {
    const changed = Uint8Array.from(program);
    changed[at] = (changed[at] ?? 0) ^ 0xff;
    try {
      readElf(changed);
    } catch (error) {
      assert.ok(error instanceof SealrootError, `byte ${at}: ${error}`);
    }
  }
});

test("writeStaticProgram() makes a program that runs", { skip: process.arch === "x64" ? false : "x86-64 code" }, () => {
  const directory = mkdtempSync(join(tmpdir(), "sealroot-elf-"));
  try {
    // mov edi, 42; mov eax, 60 (exit); syscall
    const code = Buffer.from("bf2a000000b83c0000000f05", "hex");
    const program = writeStaticProgram(ELF_MACHINE.x86_64, code);
    assert.equal(program.length, 120 + code.length);
    writeFileSync(join(directory, "program"), program, { mode: 0o755 });
    assert.equal(spawnSync(join(directory, "program")).status, 42);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const MODULES_DEP = `kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/mbcache.ko.xz kernel/fs/jbd2/jbd2.ko.xz
kernel/fs/jbd2/jbd2.ko.xz:
kernel/fs/mbcache.ko.xz:
kernel/lib/crc16.ko.xz:
kernel/drivers/nvme/host/nvme.ko: kernel/drivers/nvme/host/nvme-core.ko kernel/drivers/nvme/common/nvme-auth.ko
kernel/drivers/nvme/host/nvme-core.ko: kernel/drivers/nvme/common/nvme-auth.ko
kernel/drivers/nvme/common/nvme-auth.ko:
`;

test("moduleLoadOrder() puts needed modules first and each once, and passes over absent names", () => {
  const kernel = parseKernelModules(MODULES_DEP, "kernel/fs/overlayfs/overlay.ko\n");
  const order = moduleLoadOrder(kernel, ["nvme", "absent", "ext4", "nvme-core"]);
  assert.deepEqual(order.map(moduleName), ["nvme_auth", "nvme_core", "nvme", "jbd2", "mbcache", "crc16", "ext4"]);
  assert.equal(kernel.builtIn.has("overlay"), true);
});

test("moduleName() is the same for every spelling and compression", () => {
  for (const path of ["a/x-y.ko", "x_y.ko.xz", "b/x-y.ko.zst", "x-y.ko.gz", "x_y"])
    assert.equal(moduleName(path), "x_y");
});

test("parseKernelModules() names the line that is none", () => {
  assert.throws(() => parseKernelModules("a.ko:\nrubbish\n", ""), { code: "corrupt", message: /line 2/ });
});
