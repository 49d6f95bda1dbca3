/**
 * A disk of 40 GiB, booted under Secure Boot: the kernel sees all of it and can fill it, and everything that no script of
 * debugfs could write is there. With SEALROOT_LARGE_DISKS, the image has 6 GiB more.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runSealroot } from "../../examples/debian/sealroot.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { checkWithE2fsck } from "../../src/disk/ext4/make.ts";
import { readDiskPartitions } from "../../src/disk/index.ts";
import { openImage } from "../../src/images/index.ts";
import { OciLayout, parseReference, putLayer } from "../../src/oci/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { type TarMember, type TarMemberHeader, writeTar } from "../../src/tar/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { BOOT_TIMEOUT_MS, bootSealed, guestText, sealedExample, systemState } from "./sealed-example.ts";

const IS_WHOLE = process.env.SEALROOT_LARGE_DISKS !== undefined;
const MIB = 1024 * 1024;
const LARGE_FILES = IS_WHOLE ? 6 : 0;
const LARGE_FILE_MIB = 1024;
/** Names in one directory of /var. */
const NAME_COUNT = 20_000;
/** What the kernel keeps for its own metadata, root or not (Linux fs/ext4/super.c, ext4_set_resv_clusters). */
const KERNEL_RESERVE_BLOCKS = 4096;
/** Owner rw, user 1000 rwx, group r, mask rwx, others nothing (linux/posix_acl_xattr.h, version 2). */
const ACL =
  "02000000" + "01000600ffffffff" + "02000700e8030000" + "04000400ffffffff" + "10000700ffffffff" + "20000000ffffffff";

function member(path: string, more: Partial<TarMemberHeader> & { body?: TarMember["body"] } = {}): TarMember {
  const { body, ...header } = more;
  const common = { path: byteStringOfText(path), mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1_700_000_000n };
  if (body !== undefined) return { header: { kind: "file", ...common, ...header }, body };
  return { header: { kind: "directory", ...common, mode: 0o755, ...header } };
}

/** Bytes that no layer makes smaller, the same in every run. */
async function* largeContent(index: number): AsyncGenerator<Uint8Array> {
  for (let part = 0; part < LARGE_FILE_MIB; part++) {
    const seed = createHash("sha512").update(`${index} ${part}`).digest();
    yield Buffer.alloc(MIB, seed);
  }
}

function addedMembers(): TarMember[] {
  const text = Buffer.from("odd\n");
  const acl = new Map([[byteStringOfText("system.posix_acl_access"), Buffer.from(ACL, "hex")]]);
  const note = new Map([[byteStringOfText("user.note"), Buffer.from("kept")]]);
  return [
    member("etc/odd"),
    member("etc/odd/line\nbreak", { body: text }),
    member("etc/odd/acl", { body: text, mode: 0o670, xattrs: acl }),
    member("etc/odd/note", { body: text, xattrs: note }),
    member("etc/odd/device", { kind: "character-device", mode: 0o600, device: { major: 4000, minor: 1_000_000 } }),
    member("var/many"),
    ...Array.from({ length: NAME_COUNT }, (_, index) => member(`var/many/${index}`, { body: new Uint8Array() })),
    ...(IS_WHOLE ? [member("usr/share/large")] : []),
    ...Array.from({ length: LARGE_FILES }, (_, index) => {
      return member(`usr/share/large/${index}`, { sizeBytes: LARGE_FILE_MIB * MIB, body: largeContent(index) });
    }),
  ];
}

/** The example with a layer more. @returns its reference */
async function largerImage(layoutOfExample: string, directory: string): Promise<string> {
  const path = join(directory, "image");
  cpSync(layoutOfExample, path, { recursive: true });
  const image = await openImage(parseReference(`oci:${path}:latest`));
  const { manifest, config } = image;
  await image.close();
  assert.ok(config !== undefined);
  const layout = await OciLayout.open(path);
  const layer = await putLayer(layout, writeTar(addedMembers()), { compression: "none" });
  const { history: _, ...rest } = config;
  const written = await layout.putConfig({
    ...rest,
    rootfs: { type: "layers", diff_ids: [...config.rootfs.diff_ids, layer.diffId] },
  });
  const layers = [...manifest.layers, layer.descriptor];
  await layout.putManifest({ ...manifest, config: written, layers }, { tag: "larger" });
  return `oci:${path}:larger`;
}

describe("a disk of 40 GiB with odd content", () => {
  let directory: string;
  let diskPath: string;
  let guest: VirtualMachine;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sealroot-large-disk-"));
    diskPath = join(directory, "disk.img");
    const example = await sealedExample();
    const image = await largerImage(example.imageDirectory, directory);
    const sealed = `oci:${join(directory, "sealed")}:latest`;
    await runSealroot(["seal", image, "-o", sealed, "--keys", example.keysDirectory], { quiet: true });
    rmSync(join(directory, "image"), { recursive: true });
    const names = ["--source-imgref", sealed, "--target-imgref", "localhost/large:latest"];
    await runSealroot(["install", "to-disk", diskPath, "--size", "40G", ...names], { quiet: true });
    rmSync(join(directory, "sealed"), { recursive: true });
    guest = await bootSealed(example, diskPath);
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
  });
  after(async () => {
    await guest?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test("df shows the whole partition", async (context) => {
    const { partitions } = await readDiskPartitions(diskPath);
    const partitionBytes = partitions.find(({ name }) => name === "root")?.sizeBytes ?? 0;
    assert.equal(partitionBytes, (40 * 1024 - 1027) * MIB);
    // f_blocks is without the file system's own tables: inode tables of 1/64, journal, descriptors.
    const [blocks = 0, size = 0] = (await guestText(guest, "stat -f -c '%b %S' /sysroot")).split(" ").map(Number);
    context.diagnostic(await guestText(guest, "df -h /sysroot | tail -1"));
    assert.ok(blocks * size > 0.975 * partitionBytes, `${blocks} blocks of ${size} bytes`);
    const used = Number(await guestText(guest, "df --output=used -B1M /sysroot | tail -1"));
    assert.ok(used > LARGE_FILES * LARGE_FILE_MIB, `${used} MiB used`);
  });

  test("the kernel finds names with line breaks, large devices and every name of a large directory", async () => {
    assert.equal(await guestText(guest, "cat '/etc/odd/line\nbreak'"), "odd");
    assert.equal(await guestText(guest, "stat -c '%F %Hr:%Lr' /etc/odd/device"), "character special file 4000:1000000");
    assert.equal(
      await guestText(guest, "ls /var/many | sort -n | tail -1; ls /var/many | wc -l"),
      `${NAME_COUNT - 1}\n${NAME_COUNT}`,
    );
    assert.equal(await guestText(guest, `stat -c %s /var/many/${NAME_COUNT - 7}`), "0");
  });

  test("access control lists and user attributes are what the image has", async () => {
    // getxattr of x86-64; perl is in every Debian.
    const read = `perl -e '$v = "\\0" x 99; $n = syscall(191, $ARGV[0], $ARGV[1], $v, 99); print unpack "H*", substr($v, 0, $n)'`;
    assert.equal(await guestText(guest, `${read} /etc/odd/acl system.posix_acl_access`), ACL);
    assert.equal(await guestText(guest, `${read} /etc/odd/note user.note`), Buffer.from("kept").toString("hex"));
  });

  test("the root can be filled to the end, by the kernel that found it empty", async (context) => {
    const free = "stat -f -c '%f %S' /sysroot";
    const [blocks = 0, size = 0] = (await guestText(guest, free)).split(" ").map(Number);
    // Almost all of it is taken without being written; the rest is written until the kernel says that nothing is left.
    await guestText(guest, `fallocate -l ${(blocks - KERNEL_RESERVE_BLOCKS - 1000) * size} /var/fill`);
    const script = "dd if=/dev/zero of=/var/last bs=1M 2>&1 | grep -c 'No space left'; sync";
    assert.equal(await guestText(guest, script), "1");
    const [left = -1] = (await guestText(guest, free)).split(" ").map(Number);
    context.diagnostic(`${blocks} free blocks were taken, ${left} are left`);
    assert.ok(left <= KERNEL_RESERVE_BLOCKS + 16, `${left} blocks are left`);
    assert.equal(
      await guestText(guest, "rm /var/fill /var/last && touch /var/many/new /etc/odd/new && sync && echo well"),
      "well",
    );
  });

  test("e2fsck finds the file system well afterwards", async () => {
    const { partitions } = await readDiskPartitions(diskPath);
    const startBytes = partitions.find(({ name }) => name === "root")?.startBytes ?? 0;
    await guest.stop();
    // Stopped as by a power cut: the journal is replayed first (exit code 1), and nothing else is there to be mended.
    const replay = await runTool("e2fsck", ["-f", "-y", `${diskPath}?offset=${startBytes}`], { successCodes: [0, 1] });
    assert.doesNotMatch(replay.stdout.toString(), /\? yes/);
    await checkWithE2fsck({ directory, path: "disk.img" }, startBytes);
  });
});
