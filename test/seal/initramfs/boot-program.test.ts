import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { readBootProgram } from "../../../src/seal/initramfs/boot-program.ts";

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
