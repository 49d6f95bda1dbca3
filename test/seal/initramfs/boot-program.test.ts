import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
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

test("the lookup of objects finds plain files in their own directories, and nothing through a link", () => {
  const { lookup } = machineCodePrograms(ELF_MACHINE.x86_64);
  assert.equal(lookup.length, 120 + 333);
  const directory = mkdtempSync(join(tmpdir(), "sealroot-lookup-"));
  try {
    const at = (...names: string[]) => join(directory, ...names);
    writeFileSync(at("lookup"), lookup, { mode: 0o755 });
    const id = (prefix: string, index: number) => prefix + Buffer.alloc(63, index).toString("hex");
    const path = (hex: string) => at("objects", hex.slice(0, 2), hex.slice(2));
    const look = (list: string | Buffer) => {
      writeFileSync(at("list"), typeof list === "string" ? Buffer.from(list, "hex") : list);
      const { status, stdout } = spawnSync(at("lookup"), [at("objects"), at("list")]);
      return { status, missing: stdout.toString("hex").match(/.{128}/g) ?? [] };
    };
    for (const name of ["00", "9f", "a0", "ff"]) mkdirSync(at("objects", name), { recursive: true });
    const good = ["00", "9f", "a0", "ff"].flatMap((prefix) => [id(prefix, 0x00), id(prefix, 0x9a), id(prefix, 0xff)]);
    for (const hex of good) writeFileSync(path(hex), "");
    assert.deepEqual(look(good.join("")), { status: 0, missing: [] });
    assert.deepEqual(look(""), { status: 0, missing: [] });

    const absent = id("00", 1);
    const folder = id("00", 2);
    const link = id("00", 3);
    const dangling = id("9f", 4);
    const fifo = id("a0", 5);
    const elsewhere = id("bb", 0x00);
    const nowhere = id("cc", 0x00);
    mkdirSync(path(folder));
    symlinkSync(path(good[0] ?? ""), path(link));
    symlinkSync("nothing", path(dangling));
    spawnSync("mkfifo", [path(fifo)]);
    // A directory that is a link: overlayfs does not go through it.
    symlinkSync("00", at("objects", "bb"));
    const bad = [absent, folder, link, dangling, fifo, elsewhere, nowhere];
    assert.deepEqual(look([...good, ...bad].join("")), { status: 0, missing: bad });
    assert.deepEqual(look([...bad, ...good].join("")).missing, bad);
    const many = Array.from({ length: 3000 }, () => absent);
    assert.equal(look(many.join("")).missing.length, 3000);

    assert.deepEqual(look(Buffer.alloc(63)), { status: 5, missing: [] });
    assert.equal(look(Buffer.concat([Buffer.from(absent, "hex"), Buffer.alloc(1)])).status, 5);
    assert.equal(spawnSync(at("lookup"), [at("objects"), at("none")]).status, 2);
    assert.equal(spawnSync(at("lookup"), [at("none"), at("list")]).status, 2);
    assert.equal(spawnSync(at("lookup"), [at("list"), at("list")]).status, 20);
    // What is missing must not get lost on the way to the boot program.
    look(absent);
    const full = spawnSync("sh", ["-c", '"$0" "$1" "$2" > /dev/full', at("lookup"), at("objects"), at("list")]);
    assert.equal(full.status, 5);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("machineCodePrograms() refuses other CPUs", () => {
  assert.throws(() => machineCodePrograms(ELF_MACHINE.aarch64), { code: "unsupported", message: /x86-64/ });
});
