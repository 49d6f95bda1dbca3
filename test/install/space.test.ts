/** The least size that is said to do does, and two MiB less do not: over twenty kinds of content. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import type { DiskEntry, PlannedRoot } from "../../src/disk/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { rootGeometry } from "../../src/ext4/index.ts";
import { planDisk } from "../../src/install/plan-disk.ts";
import { runTool } from "../../src/platform/index.ts";
import { newMetadata } from "../../src/tree/index.ts";
import { ext4VerityOffset } from "../../src/verity/index.ts";
import { makeSmallDisk, planOf } from "../disk/small-disk.ts";

/** Everything in its full size, with SEALROOT_LARGE_DISKS; else the large contents are a tenth. */
const SHARE = process.env.SEALROOT_LARGE_DISKS === undefined ? 0.1 : 1;
const MIB = 1024 * 1024;
const ESP_MIB = 64;
/** Too small for any of the contents below, and large enough for the partitions. */
const FIRST_SIZE_MIB = 131;

const scratch = mkdtempSync(join(tmpdir(), "sealroot-space-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A file of zeros, made once a size. */
const sources = new Map<number, string>();
function sourceOf(sizeBytes: number): string {
  const known = sources.get(sizeBytes) ?? join(scratch, `source-${sizeBytes}`);
  if (!sources.has(sizeBytes)) {
    writeFileSync(known, "");
    truncateSync(known, sizeBytes);
    sources.set(sizeBytes, known);
  }
  return known;
}

const path = byteStringOfText;
const metadata = newMetadata({ mode: 0o644 });
const directory = (name: string): DiskEntry => ({ kind: "directory", path: path(name), metadata });
const file = (name: string, sizeBytes: number): DiskEntry => ({
  kind: "file",
  path: path(name),
  metadata,
  source: sourceOf(sizeBytes),
});
const link = (name: string, length: number): DiskEntry => ({
  kind: "symlink",
  path: path(name),
  metadata,
  target: path("t".repeat(length)),
});
function verityFile(name: string, sizeBytes: number): DiskEntry {
  // A tree of one level and the descriptor, as for files of up to 64 blocks.
  const storedBytes = ext4VerityOffset(sizeBytes) + 2 * 4096;
  return { kind: "file", path: path(name), metadata, source: sourceOf(storedBytes), veritySizeBytes: sizeBytes };
}
const withXattr = (name: string, bytes: number): DiskEntry => {
  const xattrs = new Map([[path("user.note"), new Uint8Array(bytes)]]);
  return { kind: "fifo", path: path(name), metadata: newMetadata({ mode: 0o600, xattrs }) };
};

/** @param make is given an index and gives an entry of the directory `d` */
function many(count: number, make: (name: string, index: number) => DiskEntry): DiskEntry[] {
  return [directory("d"), ...Array.from({ length: count }, (_, index) => make(`d/${index}`, index))];
}
const share = (count: number): number => Math.ceil(count * SHARE);

const CONTENTS: Readonly<Record<string, () => DiskEntry[]>> = {
  "200,000 small files": () => many(share(200_000), (name) => file(name, 100)),
  "200,000 empty files": () => many(share(200_000), (name) => file(name, 0)),
  "a file of 3 GiB": () => [file("large", share(3 * 1024) * MIB)],
  "files of 129 MiB, one more than a group": () => many(share(20), (name) => file(name, 129 * MIB)),
  "files of a block and a byte": () => many(20_000, (name) => file(name, 4097)),
  "verity files of 20 KiB": () => many(5000, (name) => verityFile(name, 20_000)),
  "empty verity files": () => many(8000, (name) => verityFile(name, 0)),
  "short links": () => many(40_000, (name) => link(name, 20)),
  "long links": () => many(20_000, (name) => link(name, 200)),
  "directories side by side": () => many(20_000, directory),
  "directories in each other": () => {
    return Array.from({ length: 1000 }, (_, depth) =>
      directory(Array.from({ length: depth + 1 }, () => "d").join("/")),
    );
  },
  "names of 255 bytes": () => many(30_000, (_, index) => file(`d/${String(index).padStart(255, "n")}`, 0)),
  "many names of one file": () => [
    file("one", 10),
    ...many(60_000, (name): DiskEntry => ({ kind: "hard-link", path: path(name), existing: path("one") })),
  ],
  "attributes in the inode": () => many(20_000, (name) => withXattr(name, 30)),
  "attributes in a block": () => many(20_000, (name) => withXattr(name, 3000)),
  fifos: () => many(40_000, (name) => withXattr(name, 0)),
  "as many inodes as fit into two groups": () => many(16_384 - 13, (name) => file(name, 0)),
  "one inode more than fit into two groups": () => many(16_384 - 12, (name) => file(name, 0)),
  "files of 60 MiB": () => many(2, (name) => file(name, 60 * MIB)),
  "a bit of everything": () => [
    ...many(
      3000,
      (name, index) =>
        [file(name, index * 7), link(name, 1 + (index % 300)), directory(name), withXattr(name, index)][index % 4] ??
        directory(name),
    ),
  ],
};

const target = (sizeMib: number) => {
  return { kind: "file", path: join(scratch, "disk"), sizeBytes: sizeMib * MIB } as const;
};

/** What `install` would say about a disk of this size. @returns the size its hint names, undefined when it fits */
function hintFor(sizeMib: number, content: PlannedRoot): number | undefined {
  try {
    planDisk(
      target(sizeMib) as Parameters<typeof planDisk>[0],
      { espSizeBytes: ESP_MIB * MIB },
      {
        architecture: "amd64",
        seed: "test",
        content,
        esp: { files: [], directories: [] },
      },
    );
    return undefined;
  } catch (error) {
    assert.ok(error instanceof SealrootError);
    assert.equal(error.code, "no-space");
    const [, size] = /^give at least --size (\d+)M$/.exec(error.data.hint ?? "") ?? [];
    return Number(size);
  }
}

test("there are twenty kinds", () => {
  assert.equal(Object.keys(CONTENTS).length, 20);
});

for (const [name, makeEntries] of Object.entries(CONTENTS)) {
  test(`${name}: the size of the hint is the least that does`, { timeout: 900_000 }, async (context) => {
    const entries = makeEntries();
    const content = planOf(entries);
    const least = hintFor(FIRST_SIZE_MIB, content) ?? FIRST_SIZE_MIB;
    assert.equal(hintFor(least, content), undefined, "the hint is refused");
    if (least > FIRST_SIZE_MIB) assert.equal(hintFor(least - 2, content), least);
    const folder = join(scratch, "made");
    const options = { sizeMib: least, espMib: ESP_MIB, epochSeconds: 1_700_000_000, espFiles: [], entries };
    const { disk, plan } = await makeSmallDisk(folder, options);
    const image = `${join(folder, disk.path)}?offset=${plan.root.startBytes}`;
    const header = (await runTool("dumpe2fs", ["-h", image])).stdout.toString();
    const field = (text: string) => Number(new RegExp(`^${text}: +(\\d+)`, "m").exec(header)?.[1]);
    const { reservedBlocks } = rootGeometry(plan.root.sizeBytes);
    const spareBlocks = field("Free blocks") - reservedBlocks;
    context.diagnostic(`${least} MiB; ${spareBlocks} blocks and ${field("Free inodes")} inodes to spare`);
    assert.ok(spareBlocks >= 0, `${spareBlocks} blocks to spare`);
    rmSync(folder, { recursive: true });
  });
}
