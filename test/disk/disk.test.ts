import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type ByteString, byteStringOfText } from "../../src/bytes/index.ts";
import {
  type DiskEntry,
  type PartitionPlan,
  planPartitions,
  readDiskPartitions,
  readEspFile,
  readPartitionTable,
  type WorkDisk,
} from "../../src/disk/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { newMetadata } from "../../src/tree/index.ts";
import { ext4VerityTail, VerityHasher } from "../../src/verity/index.ts";
import { makeSmallDisk, planOf, type SmallDisk } from "./small-disk.ts";

const MIB = 1024 * 1024;
const EPOCH_SECONDS = 1_700_000_000;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-disk-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const verityContent = Buffer.alloc(5 * MIB + 17, "sealed");

function verityFile(name: string, content: Uint8Array): string {
  const hasher = new VerityHasher("sha512", { keepTree: true });
  hasher.update(content);
  const tail = ext4VerityTail(hasher);
  const stored = Buffer.alloc(tail.offset + tail.bytes.length);
  stored.set(content, 0);
  stored.set(tail.bytes, tail.offset);
  const path = join(scratch, name);
  writeFileSync(path, stored);
  return path;
}

function plainFile(name: string, content: string): string {
  const path = join(scratch, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const path = (text: string): ByteString => byteStringOfText(text);

function sampleEntries(): DiskEntry[] {
  const root = newMetadata({ mode: 0o755, mtimeSeconds: BigInt(EPOCH_SECONDS) });
  const odd = newMetadata({
    mode: 0o4751,
    uid: 100_000,
    gid: 4_294_967_294,
    mtimeSeconds: -5n,
    mtimeNanoseconds: 123_456_789,
    xattrs: new Map([[path("security.capability"), Uint8Array.of(1, 0, 0, 2, 0xff)]]),
  });
  const label = new Map([[path("security.selinux"), Buffer.from("system_u:object_r:root_t:s0")]]);
  const far = newMetadata({ mode: 0o600, mtimeSeconds: 2n ** 32n + 4n });
  return [
    { kind: "directory", path: path(""), metadata: { ...root, xattrs: label } },
    { kind: "directory", path: path("composefs"), metadata: { ...root, mode: 0o700 } },
    {
      kind: "file",
      path: path("composefs/object"),
      metadata: { ...root, mode: 0o644 },
      source: verityFile("object", verityContent),
      veritySizeBytes: verityContent.length,
    },
    { kind: "symlink", path: path("composefs/link"), metadata: { ...root, mode: 0o777 }, target: path('o "b" t') },
    { kind: "directory", path: path('odd "names" <12>'), metadata: odd },
    { kind: "file", path: path('odd "names" <12>/<12>'), metadata: odd, source: plainFile("plain", "text\n") },
    { kind: "hard-link", path: path('odd "names" <12>/#second'), existing: path('odd "names" <12>/<12>') },
    { kind: "hard-link", path: path('odd "names" <12>/-third\tü'), existing: path('odd "names" <12>/<12>') },
    { kind: "file", path: path('odd "names" <12>/far'), metadata: far, source: plainFile("far", "") },
    { kind: "fifo", path: path("pipe"), metadata: { ...root, mode: 0o640 } },
    { kind: "character-device", path: path("null"), metadata: { ...root, mode: 0o666 }, major: 1, minor: 3 },
  ];
}

function buildDisk(name: string): Promise<SmallDisk> {
  return makeSmallDisk(join(scratch, name), {
    sizeMib: 256,
    espMib: 64,
    epochSeconds: EPOCH_SECONDS,
    espFiles: [
      { path: "loader/loader.conf", bytes: Buffer.from("timeout 5") },
      { path: `EFI/Linux/bootc/bootc_composefs-${"ab".repeat(64)}.efi`, bytes: Buffer.alloc(3 * MIB, 7) },
    ],
    entries: sampleEntries(),
  });
}

async function debugfs(disk: WorkDisk, plan: PartitionPlan, command: string): Promise<string> {
  const image = `${join(disk.directory, disk.path)}?offset=${plan.root.startBytes}`;
  const result = await runTool("debugfs", ["-R", command, image], { env: { TZ: "UTC" } });
  return result.stdout.toString("latin1");
}

const built = await buildDisk("first");

test("two disks from the same inputs are the same bytes", async () => {
  const again = await buildDisk("second");
  const digest = async (disk: WorkDisk) =>
    createHash("sha256")
      .update(await readFile(join(disk.directory, disk.path)))
      .digest("hex");
  assert.equal(await digest(again.disk), await digest(built.disk));
});

test("the table our reader finds is the plan, and sfdisk verifies it", async () => {
  const file = join(built.disk.directory, "disk");
  const table = await readDiskPartitions(file);
  assert.equal(table.diskGuid, built.plan.diskGuid);
  assert.deepEqual(
    table.partitions.map(({ name, typeGuid, guid, startBytes, sizeBytes, attributes }) => ({
      name,
      typeGuid,
      guid,
      startBytes,
      sizeBytes,
      bootable: attributes === 4n,
    })),
    built.plan.partitions,
  );
  const verified = await runTool("sfdisk", ["--verify", file]);
  assert.match(verified.stdout.toString(), /No errors detected/);
});

test("a table with a flipped byte is refused, header and entries alike", async () => {
  const bytes = (await readFile(join(built.disk.directory, "disk"))).subarray(0, 64 * 512);
  for (const [offset, message] of [
    [512 + 40, /checksum of the header/],
    [1024 + 3, /checksum of the entries/],
    [512, /no EFI PART signature/],
  ] as const) {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(offset) ^ 1, offset);
    const readAt = async (start: number, length: number) => flipped.subarray(start, start + length);
    await assert.rejects(readPartitionTable(readAt), message);
  }
});

test("the ESP holds the files and fsck.fat finds nothing", async () => {
  const file = join(built.disk.directory, "disk");
  assert.equal(
    Buffer.from(await readEspFile(built.disk, built.plan.esp.startBytes, "loader/loader.conf")).toString(),
    "timeout 5",
  );
  const uki = `EFI/Linux/bootc/bootc_composefs-${"ab".repeat(64)}.efi`;
  assert.deepEqual(await readEspFile(built.disk, built.plan.esp.startBytes, uki), Buffer.alloc(3 * MIB, 7));
  const esp = join(scratch, "esp.img");
  const whole = await readFile(file);
  writeFileSync(esp, whole.subarray(built.plan.esp.startBytes, built.plan.esp.startBytes + built.plan.esp.sizeBytes));
  await runTool("fsck.fat", ["-n", esp]);
});

test("owner, mode, xattrs and all four times of an inode are what was asked for", async () => {
  const stat = await debugfs(built.disk, built.plan, 'stat "/odd ""names"" <12>/<12>"');
  assert.match(stat, /Type: regular {4}Mode: {2}04751/);
  assert.match(stat, /User: 100000 {3}Group: {4}-2/);
  assert.match(stat, /Links: 3 /);
  assert.match(stat, /ctime: 0x6553f100:00000000/);
  assert.match(stat, /atime: 0xfffffffb:1d6f3454/);
  assert.match(stat, /mtime: 0xfffffffb:1d6f3454/);
  assert.match(stat, /crtime: 0x6553f100:00000000/);
  assert.match(stat, /security\.capability \(5\) = 01 00 00 02 ff/);
  const far = await debugfs(built.disk, built.plan, 'stat "/odd ""names"" <12>/far"');
  assert.match(far, /mtime: 0x00000004:00000001/);
});

test("the root directory itself gets its attributes", async () => {
  assert.match(
    await debugfs(built.disk, built.plan, "stat /"),
    /security\.selinux \(27\) = "system_u:object_r:root_t:s0"/,
  );
});

test("names with quotes, blanks, tabs and bytes above 127 arrive as they are", async () => {
  const listing = await debugfs(built.disk, built.plan, 'ls -p "/odd ""names"" <12>"');
  for (const name of ["<12>", "#second", "far"]) assert.ok(listing.includes(`/${name}/`), name);
  assert.ok(listing.includes("/-third\t\xc3\xbc/"), listing);
});

test("special files and links have their type", async () => {
  assert.match(await debugfs(built.disk, built.plan, "stat /pipe"), /Type: FIFO {4}Mode: {2}0640/);
  assert.match(await debugfs(built.disk, built.plan, "stat /null"), /Type: character special {4}Mode: {2}0666/);
  assert.match(await debugfs(built.disk, built.plan, "stat /null"), /major\/minor number: 01:03/);
  assert.match(await debugfs(built.disk, built.plan, "stat /composefs/link"), /Fast link dest: "o "b" t"/);
});

test("a verity file has its data's size, the flags, and the metadata after the gap", async () => {
  const stat = await debugfs(built.disk, built.plan, "stat /composefs/object");
  assert.match(stat, /Flags: 0x180000/);
  assert.match(stat, new RegExp(`Size: ${verityContent.length}\\b`));
  // Blocks of 4096 bytes: 1281 of data, 1281 hashes of 64 bytes in 21 leaves and 1 root, 1 descriptor; 8 sectors each.
  assert.match(stat, new RegExp(`Blockcount: ${(1281 + 22 + 1) * 8}\\b`));
});

test("content that does not fit ends in an error, in blocks and in inodes", async () => {
  const big = join(scratch, "big");
  writeFileSync(big, Buffer.alloc(80 * MIB, 1));
  await assert.rejects(
    planOf([{ kind: "file", path: path("big"), metadata: newMetadata({ mode: 0o644 }), source: big }]).make(
      { directory: built.disk.directory, path: "disk" },
      {
        startBytes: built.plan.root.startBytes,
        sizeBytes: 64 * MIB,
        diskIsZeroed: false,
        uuid: "11111111-2222-4333-8444-555555555555",
        label: "root",
        epochSeconds: EPOCH_SECONDS,
      },
    ),
    { name: "SealrootError", code: "no-space" },
  );
});

test("a disk that is too small is refused with the size that would do", () => {
  assert.throws(() => planPartitions({ diskSizeBytes: 512 * MIB, architecture: "amd64", seed: "" }), {
    code: "no-space",
    message: "Cannot partition the disk: 1091 MiB needed, the disk has 512 MiB",
    data: { expected: String(1091 * MIB), actual: String(512 * MIB), hint: "give at least --size 1091M" },
  });
  assert.doesNotThrow(() => planPartitions({ diskSizeBytes: 1091 * MIB, architecture: "amd64", seed: "" }));
});

test("arm64 disks have no BIOS partition and their own root type", () => {
  const plan = planPartitions({ diskSizeBytes: 4096 * MIB, architecture: "arm64", seed: "" });
  assert.deepEqual(
    plan.partitions.map((partition) => [partition.name, partition.typeGuid]),
    [
      ["EFI-SYSTEM", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"],
      ["root", "b921b045-1df0-41c3-af44-4c6f280d3fae"],
    ],
  );
});

test("a device that is too small cannot be given another size", () => {
  const options = { diskSizeBytes: 512 * MIB, sizeIsFixed: true, architecture: "amd64", seed: "" } as const;
  assert.throws(() => planPartitions(options), {
    code: "no-space",
    data: { expected: String(1091 * MIB), actual: String(512 * MIB), hint: "use a disk of at least 1091 MiB" },
  });
});
