/** Content that no script of debugfs could make; e2fsck has accepted each of these file systems when they are made. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type ByteString, byteString, byteStringOfText } from "../../src/bytes/index.ts";
import { planExt4 } from "../../src/disk/ext4/plan.ts";
import { type DiskEntry, EXT4 } from "../../src/disk/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { type Metadata, newMetadata } from "../../src/tree/index.ts";
import { makeSmallDisk, type SmallDisk } from "./small-disk.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-odd-content-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const source = join(scratch, "source");
writeFileSync(source, "content\n");

const path = byteStringOfText;
const metadata = (mode: number, xattrs: Record<string, Uint8Array> = {}): Metadata => {
  return newMetadata({ mode, xattrs: new Map(Object.entries(xattrs).map(([name, value]) => [path(name), value])) });
};
const file = (name: ByteString, more: Metadata = metadata(0o644)): DiskEntry => {
  return { kind: "file", path: name, metadata: more, source };
};
const directory = (name: string): DiskEntry => ({ kind: "directory", path: path(name), metadata: metadata(0o755) });

let made = 0;
function makeDisk(entries: readonly DiskEntry[]): Promise<SmallDisk> {
  const options = { sizeMib: 256, espMib: 64, epochSeconds: 1_700_000_000, espFiles: [], entries };
  return makeSmallDisk(join(scratch, `disk-${made++}`), options);
}

async function debugfs({ disk, plan }: SmallDisk, command: string): Promise<string> {
  const image = `${join(disk.directory, disk.path)}?offset=${plan.root.startBytes}`;
  return (await runTool("debugfs", ["-R", command, image], { env: { TZ: "UTC" } })).stdout.toString("latin1");
}

/** Names and inodes of a directory, whatever is in the names: debugfs prints `/inode/mode/uid/gid/name/size/`. */
async function namesIn(disk: SmallDisk, directory: string): Promise<Map<string, number>> {
  const listing = await debugfs(disk, `ls -p ${directory}`);
  const found = listing.matchAll(/\/(\d+)\/\d{6}\/\d+\/\d+\/([^/]*)\/\d*\/\n/g);
  // Inode 0: what the blocks of an index have for readers who know only lists.
  const named = [...found].filter(([, inode]) => inode !== "0");
  return new Map(named.map(([, inode, name]) => [name ?? "", Number(inode)]));
}

test("every byte that a name may have is in a name", async () => {
  const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 0 && byte !== 0x2f);
  const names = [
    ...["line\nbreak", "\n", "carriage\rreturn", "\r\n", '"quoted', "<11>", "-R", " ", "..."].map(path),
    byteString(allBytes),
    byteString(Buffer.alloc(255, 0xff)),
  ];
  const disk = await makeDisk([directory("odd"), ...names.map((name) => file(`odd/${name}` as ByteString))]);
  const found = await namesIn(disk, "/odd");
  assert.deepEqual([...found.keys()].sort(), [".", "..", ...names].sort());
  const inode = found.get("line\nbreak");
  assert.equal(await debugfs(disk, `cat <${inode}>`), "content\n");
});

test("devices have all numbers that Linux has, and sockets and fifos are there", async () => {
  const device = (name: string, major: number, minor: number): DiskEntry => {
    return { kind: "character-device", path: path(name), metadata: metadata(0o600), major, minor };
  };
  const disk = await makeDisk([
    ...[device("small", 255, 255), device("minor", 1, 256), device("major", 259, 3), device("largest", 4095, 0xfffff)],
    { kind: "block-device", path: path("block"), metadata: metadata(0o600), major: 259, minor: 70_000 },
    { kind: "socket", path: path("socket"), metadata: metadata(0o640) },
    { kind: "fifo", path: path("fifo"), metadata: metadata(0o640) },
  ]);
  const numbers = async (name: string) => /number: (\d+:\d+)/.exec(await debugfs(disk, `stat /${name}`))?.[1];
  assert.equal(await numbers("small"), "255:255");
  assert.equal(await numbers("minor"), "01:256");
  assert.equal(await numbers("major"), "259:03");
  assert.equal(await numbers("largest"), "4095:1048575");
  assert.equal(await numbers("block"), "259:70000");
  assert.match(await debugfs(disk, "stat /socket"), /Type: socket {4}Mode: {2}0640/);
  assert.match(await debugfs(disk, "stat /fifo"), /Type: FIFO {4}Mode: {2}0640/);
});

test("a directory of 110,000 names is an index that e2fsck accepts, and all are found", async () => {
  const names = Array.from({ length: 110_000 }, (_, index) => `${index}-${"n".repeat(index % 40)}`);
  const disk = await makeDisk([
    directory("large"),
    file(path("one")),
    ...names
      .map((name): DiskEntry => ({ kind: "hard-link", path: path(`large/${name}`), existing: path("one") }))
      .slice(0, 60_000),
    file(path("two")),
    ...names
      .map((name): DiskEntry => ({ kind: "hard-link", path: path(`large/${name}`), existing: path("two") }))
      .slice(60_000),
  ]);
  const index = await debugfs(disk, "htree /large");
  assert.match(index, /Indirect levels: 1\n/);
  const found = await namesIn(disk, "/large");
  assert.deepEqual([...found.keys()].sort(), [".", "..", ...names].sort());
  assert.match(await debugfs(disk, "stat /one"), /Links: 60001 /);
  assert.match(await debugfs(disk, "stat /two"), /Links: 50001 /);
});

test("a directory of 65,000 directories counts no links", async () => {
  const names = Array.from({ length: 65_000 }, (_, index) => directory(`many/${index}`));
  const options = { hashSeed: "0".repeat(32), sizeOf: () => 0 };
  const { planned } = planExt4([directory(""), directory("many"), ...names], options);
  assert.equal(planned[1]?.linkCount, 65_002);
});

test("targets of links are kept up to the kernel's limit", async () => {
  const lengths = [1, 59, 60, 61, 4095];
  const disk = await makeDisk(
    lengths.map((length) => {
      const target = path("t".repeat(length));
      return { kind: "symlink", path: path(String(length)), metadata: metadata(0o777), target };
    }),
  );
  for (const length of lengths) {
    const stat = await debugfs(disk, `stat /${length}`);
    assert.match(stat, new RegExp(`Size: ${length}\\b`));
    if (length < 60) assert.ok(stat.includes(`Fast link dest: "${"t".repeat(length)}"`), stat);
    else assert.equal((await debugfs(disk, `cat /${length}`)).slice(0, length), "t".repeat(length));
  }
});

/** An access control list as programs write it: user 1000 may do everything. */
const ACL = Buffer.from(
  "02000000" + "01000600ffffffff" + "02000700e8030000" + "04000400ffffffff" + "10000700ffffffff" + "20000000ffffffff",
  "hex",
);

test("access control lists and attributes of users are kept, in the inode and in a block", async () => {
  const large = Buffer.alloc(3000, "large");
  const xattrs = {
    "system.posix_acl_access": ACL,
    "user.note": Buffer.from("text"),
    "user.empty": new Uint8Array(),
    "user.large": large,
    "security.capability": Buffer.from("0100000200200000000000000000000000000000", "hex"),
  };
  const disk = await makeDisk([
    file(path("file"), metadata(0o670, xattrs)),
    { kind: "directory", path: path("directory"), metadata: metadata(0o750, { "system.posix_acl_default": ACL }) },
  ]);
  const value = async (name: string, xattr: string) => {
    await debugfs(disk, `ea_get -f ${join(scratch, "value")} /${name} ${xattr}`);
    return readFileSync(join(scratch, "value"));
  };
  // Entries without an id have none on the disk; debugfs gives them the id 0, the kernel -1.
  const shown = Buffer.from(ACL.toString("hex").replaceAll("ffffffff", "00000000"), "hex");
  for (const [name, bytes] of Object.entries({ ...xattrs, "system.posix_acl_access": shown })) {
    assert.deepEqual(await value("file", name), Buffer.from(bytes), name);
  }
  assert.deepEqual(await value("directory", "system.posix_acl_default"), shown);
});

test("what ext4 cannot hold is refused by the name it has in the image", () => {
  const nameOf = (name: ByteString) => `/${name}` as ByteString;
  const plan =
    (...entries: readonly DiskEntry[]) =>
    () =>
      EXT4.plan([directory(""), directory("etc"), ...entries], { hashSeed: "0".repeat(32), sizeOf: () => 8, nameOf });
  const refused = (reason: string, name: string) => ({
    code: "unsupported",
    message: `Cannot put "/${name}" on a disk: ${reason}`,
    data: { path: `/${name}` },
  });
  const long = "n".repeat(256);
  assert.throws(plan(file(path(`etc/${long}`))), refused("its name has 256 bytes", `etc/${long}`));
  const link = {
    kind: "symlink",
    path: path("etc/link"),
    metadata: metadata(0o777),
    target: path("t".repeat(4096)),
  } as const;
  assert.throws(plan(link), refused("the target of the link has 4096 bytes", "etc/link"));
  const fat = file(path("etc/fat"), metadata(0o644, { "user.fat": new Uint8Array(4100) }));
  assert.throws(plan(fat), refused("its extended attributes have more than 4 KiB", "etc/fat"));
  const bad = file(path("etc/bad"), metadata(0o644, { "system.posix_acl_access": new Uint8Array(9) }));
  assert.throws(plan(bad), refused("its access control list (system.posix_acl_access) is malformed", "etc/bad"));
  const links = Array.from({ length: 65_000 }, (_, index): DiskEntry => {
    return { kind: "hard-link", path: path(`etc/${index}`), existing: path("etc/file") };
  });
  assert.throws(plan(file(path("etc/file")), ...links), refused("it has more than 65000 names", "etc/file"));
  assert.doesNotThrow(plan(file(path("etc/file")), ...links.slice(1)));
  assert.throws(plan(file(path("var/file"))), {
    code: "corrupt",
    message: 'Cannot plan the root file system: "var/file" has no directory',
  });
});
