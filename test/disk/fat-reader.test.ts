/** FAT file systems that mkfs.vfat and mtools made, read back. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FatReader } from "../../src/disk/fat-reader.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { runTool } from "../../src/platform/index.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-fat-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const MANY = 300;
const LIMIT = 1 << 24;

async function made(name: string, kib: number, ...options: string[]): Promise<string> {
  const path = join(scratch, name);
  await runTool("mkfs.vfat", ["-C", ...options, path, String(kib)]);
  const tree = join(scratch, `${name}-tree`);
  mkdirSync(join(tree, "loader/entries"), { recursive: true });
  for (let index = 0; index < MANY; index++)
    writeFileSync(join(tree, "loader/entries", `a long name ü ${index}.conf`), `${index}`);
  writeFileSync(join(tree, "SHORT.TXT"), "short");
  writeFileSync(join(tree, "lower.txt"), "lower");
  writeFileSync(join(tree, "empty"), "");
  writeFileSync(join(tree, "large.bin"), Buffer.alloc(100_001, "large"));
  await runTool(
    "sh",
    [
      "-c",
      'cd "$2" && mcopy -s -i "$1" * ::/ && mdel -i "$1" ::/lower.txt && mcopy -i "$1" lower.txt ::/',
      "sh",
      path,
      tree,
    ],
    {
      env: { MTOOLSRC: "/dev/null", LC_ALL: "C.UTF-8" },
    },
  );
  return path;
}

function reader(path: string): FatReader {
  const bytes = readFileSync(path);
  return new FatReader((offset, length) => bytes.subarray(offset, offset + length));
}

for (const [name, kib, ...options] of [
  ["FAT12", 2048, "-F", "12"],
  ["FAT16", 16384, "-F", "16"],
  ["FAT32", 65536, "-F", "32", "-s", "1"],
] as const) {
  test(`${name}: names, directories and contents`, async () => {
    const fat = reader(await made(name, kib, ...options));
    assert.deepEqual(
      fat
        .list([])
        ?.map((entry) => entry.name)
        .sort(),
      ["SHORT.TXT", "empty", "large.bin", "loader", "lower.txt"],
    );
    const names = fat.list(["LOADER", "Entries"])?.map((entry) => entry.name);
    assert.equal(names?.length, MANY + 2 - 2);
    assert.ok(names.includes("a long name ü 123.conf"));
    const read = (...path: string[]) => Buffer.from(fat.read(path, LIMIT) ?? "absent").toString();
    assert.equal(read("loader", "entries", "A LONG NAME Ü 299.conf"), "299");
    assert.equal(read("short.txt"), "short");
    assert.equal(read("empty"), "");
    assert.deepEqual(fat.read(["large.bin"], LIMIT), Buffer.alloc(100_001, "large"));
    assert.equal(fat.read(["loader", "nothing"], LIMIT), undefined);
    assert.equal(fat.list(["nothing", "below"]), undefined);
    for (const action of [
      () => fat.read(["loader"], LIMIT),
      () => fat.list(["empty", "x"]),
      () => fat.read(["large.bin"], 100),
    ]) {
      assert.throws(action, (error) => error instanceof SealrootError && error.code === "unsupported");
    }
  });
}

test("chains that lead in a circle or out of the table end with an error", async () => {
  const path = await made("damaged", 16384, "-F", "16");
  const bytes = readFileSync(path);
  const table = bytes.readUInt16LE(14) * bytes.readUInt16LE(11);
  const damaged = (value: number) => {
    const copy = Buffer.from(bytes);
    for (let cluster = 2; cluster < 200; cluster++) copy.writeUInt16LE(value, table + cluster * 2);
    return new FatReader((offset, length) => copy.subarray(offset, offset + length));
  };
  assert.equal(damaged(2).read(["large.bin"], LIMIT)?.length, 100_001);
  assert.throws(() => damaged(0).read(["large.bin"], LIMIT), /a chain of clusters leads nowhere/);
  assert.throws(() => damaged(0xff00).read(["large.bin"], LIMIT), /a chain of clusters leaves the table/);
  assert.throws(() => damaged(0xffff).read(["large.bin"], LIMIT), /it ends too early/);
});
