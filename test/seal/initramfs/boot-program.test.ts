import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ELF_MACHINE } from "../../../src/elf/index.ts";
import { readBootProgram } from "../../../src/seal/initramfs/boot-program.ts";
import { machineCodePrograms } from "../../../src/seal/initramfs/machine-code.ts";

test("readBootProgram() takes every module the program imports, from its four rooms only, without types", async () => {
  const modules = await readBootProgram();
  const paths = modules.map(({ path }) => path);
  for (const path of [
    "initramfs/setup-root.ts",
    "src/bls/command-line.ts",
    "src/bootplan/mount-plan.ts",
    "src/errors/index.ts",
  ]) {
    assert.ok(paths.includes(path), path);
  }
  assert.ok(paths.every((path) => /^(initramfs|src\/(bls|bootplan|bytes|errors))\//.test(path)));
  assert.equal(new Set(paths).size, paths.length);
});

test("readBootProgram() gives plain JavaScript modules whose imports lead to each other", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sealroot-program-"));
  try {
    writeFileSync(join(directory, "package.json"), '{"type": "module"}');
    for (const { path, source } of await readBootProgram()) {
      const target = join(directory, path.replace(/\.ts$/, ".js"));
      mkdirSync(dirname(target), { recursive: true });
      // Node would strip types from .ts files by itself, and so hide what is left of them.
      writeFileSync(target, source.replace(/\.ts";/g, '.js";'));
    }
    const script = `
      globalThis.scriptArgs = ["setup-root", "unknown-mode"];
      globalThis.os = { open: () => -2, readdir: () => [[], 2], stat: () => [null, 2], O_RDONLY: 0, O_WRONLY: 1, sleep: () => process.exit(7) };
      globalThis.std = { err: { puts: (text) => process.stdout.write(text), flush: () => {} }, exit: (status) => process.exit(status) };
      await import(${JSON.stringify(join(directory, "initramfs/setup-root.js"))});`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    assert.equal(status, 7, stderr);
    assert.match(stdout, /^sealroot: Cannot set up the root: unknown mode "unknown-mode"\nsealroot: Stopped: /);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("readBootProgram() warns of nothing", () => {
  const script = `import { readBootProgram } from ${JSON.stringify(new URL("../../../src/seal/initramfs/boot-program.ts", import.meta.url).href)}; await readBootProgram();`;
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(status, 0);
  assert.equal(stderr, "");
});

test("machineCodePrograms() are programs that run and tell what the kernel said", () => {
  const { measure, insmod } = machineCodePrograms(ELF_MACHINE.x86_64);
  assert.equal(measure.length, 211);
  assert.equal(insmod.length, 226);
  const directory = mkdtempSync(join(tmpdir(), "sealroot-code-"));
  try {
    const program = (name: string, bytes: Uint8Array) => {
      writeFileSync(join(directory, name), bytes, { mode: 0o755 });
      return join(directory, name);
    };
    const measureHere = spawnSync(program("measure", measure), [join(directory, "measure")]);
    assert.ok([25, 61, 95].includes(measureHere.status ?? 0), `no fs-verity: ${measureHere.status}`);
    assert.equal(spawnSync(join(directory, "measure"), [join(directory, "absent")]).status, 2);
    // This file is no module: ENOEXEC, or EPERM for who may not load any. The absent one: ENOENT.
    const { status, stdout } = spawnSync(program("insmod", insmod), [
      join(directory, "absent"),
      join(directory, "measure"),
    ]);
    assert.equal(status, 0);
    assert.equal(stdout.length, 2);
    assert.equal(stdout[0], 2);
    assert.ok([1, 8, 38].includes(stdout[1] ?? 0), `errno ${stdout[1]}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("machineCodePrograms() refuses other CPUs", () => {
  assert.throws(() => machineCodePrograms(ELF_MACHINE.aarch64), { code: "unsupported", message: /x86-64/ });
});
