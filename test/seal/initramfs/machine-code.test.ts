/** The machine code programs run here: those of this machine's CPU by itself, the others under qemu-user(1). */
import assert from "node:assert/strict";
import { type SpawnSyncOptions, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ELF_MACHINE } from "../../../src/elf/index.ts";
import * as aarch64 from "../../../src/seal/initramfs/machine-code/aarch64.ts";
import { machineCodePrograms } from "../../../src/seal/initramfs/machine-code/index.ts";

const CPUS = [
  { name: "x86-64", machine: ELF_MACHINE.x86_64, node: "x64", emulator: "qemu-x86_64", sizes: [211, 226, 453] },
  { name: "AArch64", machine: ELF_MACHINE.aarch64, node: "arm64", emulator: "qemu-aarch64", sizes: [224, 244, 488] },
] as const;

for (const { name, machine, node, emulator, sizes } of CPUS) {
  describe(`the machine code for ${name}`, () => {
    const programs = machineCodePrograms(machine);
    const run = (program: string, words: readonly string[], options: SpawnSyncOptions = {}) => {
      const [file = "", ...args] = process.arch === node ? [program, ...words] : [emulator, program, ...words];
      const { error, status, stdout } = spawnSync(file, args, { ...options, encoding: "buffer" });
      if (error !== undefined) throw error;
      return { status, stdout: Buffer.from(stdout ?? "") };
    };

    test("measures and loads, and tells what the kernel said", () => {
      assert.deepEqual([programs.measure.length, programs.insmod.length, programs.lookup.length], sizes);
      const directory = mkdtempSync(join(tmpdir(), "sealroot-code-"));
      try {
        const program = (file: string, bytes: Uint8Array) => {
          writeFileSync(join(directory, file), bytes, { mode: 0o755 });
          return join(directory, file);
        };
        const measure = program("measure", programs.measure);
        // No fs-verity here: ENOTTY, ENODATA, EOPNOTSUPP; ENOSYS of an emulator that does not know the ioctl.
        assert.ok([25, 38, 61, 95].includes(run(measure, [measure]).status ?? 0));
        assert.equal(run(measure, [join(directory, "absent")]).status, 2);
        // This file is no module: ENOEXEC, EPERM for who may not load any, ENOSYS. The absent one: ENOENT.
        const { status, stdout } = run(program("insmod", programs.insmod), [join(directory, "absent"), measure]);
        assert.equal(status, 0);
        assert.equal(stdout.length, 2);
        assert.equal(stdout[0], 2);
        assert.ok([1, 8, 38].includes(stdout[1] ?? 0), `errno ${stdout[1]}`);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });

    test("finds objects that are plain files in their own directories, and nothing through a link", () => {
      const directory = mkdtempSync(join(tmpdir(), "sealroot-lookup-"));
      try {
        const at = (...names: string[]) => join(directory, ...names);
        writeFileSync(at("lookup"), programs.lookup, { mode: 0o755 });
        const id = (prefix: string, index: number) => prefix + Buffer.alloc(63, index).toString("hex");
        const path = (hex: string) => at("objects", hex.slice(0, 2), hex.slice(2));
        const look = (list: string | Buffer) => {
          writeFileSync(at("list"), typeof list === "string" ? Buffer.from(list, "hex") : list);
          const { status, stdout } = run(at("lookup"), [at("objects"), at("list")]);
          return { status, missing: stdout.toString("hex").match(/.{128}/g) ?? [] };
        };
        for (const folder of ["00", "9f", "a0", "ff"]) mkdirSync(at("objects", folder), { recursive: true });
        const good = ["00", "9f", "a0", "ff"].flatMap((prefix) => [0x00, 0x9a, 0xff].map((byte) => id(prefix, byte)));
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
        assert.equal(run(at("lookup"), [at("objects"), at("none")]).status, 2);
        assert.equal(run(at("lookup"), [at("none"), at("list")]).status, 2);
        assert.equal(run(at("lookup"), [at("list"), at("list")]).status, 20);
        // What is missing must not get lost on the way to the boot program.
        look(absent);
        const lost = ["-c", 'exec "$@" > /dev/full', "sh"];
        const words = [...(process.arch === node ? [] : [emulator]), at("lookup"), at("objects"), at("list")];
        assert.equal(spawnSync("sh", [...lost, ...words]).status, 5);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  });
}

test("the listing for AArch64 says what its bytes are", () => {
  const directory = mkdtempSync(join(tmpdir(), "sealroot-listing-"));
  try {
    for (const [name, listing] of Object.entries(aarch64)) {
      const lines = [...listing.matchAll(/^ +([0-9a-f]{8}) ( *[a-z].*)$/gm)];
      const source = join(directory, `${name}.s`);
      const text = join(directory, name);
      writeFileSync(source, lines.map(([, , line = ""]) => `${line.replace(";", "//")}\n`).join(""));
      const assembled = spawnSync("aarch64-linux-gnu-as", ["-o", `${source}.o`, source], { encoding: "utf8" });
      assert.equal(assembled.status, 0, assembled.stderr ?? String(assembled.error));
      spawnSync("aarch64-linux-gnu-objcopy", ["-O", "binary", "-j", ".text", `${source}.o`, text]);
      assert.equal(readFileSync(text).toString("hex"), lines.map(([, hex]) => hex).join(""), name);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("machineCodePrograms() refuses other CPUs", () => {
  const RISC_V = 243;
  assert.throws(() => machineCodePrograms(RISC_V), {
    code: "unsupported",
    message: "Cannot build the initramfs: the image's programs are for another CPU",
    data: { expected: "e_machine 62 or 183", actual: "e_machine 243" },
  });
});
