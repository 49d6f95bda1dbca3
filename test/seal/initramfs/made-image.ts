/** A made-up image out of this machine's programs, for tests of what an initramfs is built of. */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { collectLibraries } from "../../../src/elf/index.ts";
import { runTool } from "../../../src/platform/index.ts";
import type { SealedRoot } from "../../../src/seal/initramfs/index.ts";
import { findHere } from "../../elf/find-here.ts";

export const RELEASE = "6.12.1-test";
/** What tells QuickJS, behind any program. */
export const QUICKJS_TEXT = "QuickJS version 2025-04-26\n";
/** The end of a signed module (Linux include/linux/module_signature.h). */
export const SIGNATURE_MARK = "~Module signature appended~\n";
export const MODULE_BYTES = Buffer.from("\x7fELF of a module");

export const SEALED_ROOT: SealedRoot = {
  permit: `composefs=${"ab".repeat(64)}\n`,
  objectIds: ["02", "01", "02"].map((byte) => byte.repeat(64)),
};

const MODULES_DEP = `kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.zst
kernel/lib/libcrc32c.ko.zst:
kernel/fs/overlayfs/overlay.ko:
kernel/drivers/block/virtio_blk.ko:
kernel/drivers/ata/ahci.ko: kernel/lib/libcrc32c.ko.zst
kernel/drivers/watchdog/softdog.ko: kernel/drivers/watchdog/watchdog.ko
kernel/drivers/watchdog/i6300esb.ko: kernel/drivers/watchdog/watchdog.ko
kernel/drivers/watchdog/watchdog.ko:
kernel/sound/unused.ko:
`;

/** Where the programs of the image come from on this machine; for qjs any ELF program does that says it is QuickJS. */
const PROGRAMS = {
  "/usr/bin/sh": "/bin/sh",
  "/usr/bin/qjs": "/bin/sh",
  "/usr/bin/mount": "/bin/mount",
  "/usr/bin/umount": "/bin/umount",
  "/usr/sbin/blkid": "/sbin/blkid",
  "/usr/sbin/switch_root": "/sbin/switch_root",
};

/** Makes the image's directory; `remove` deletes it. */
export async function madeImage(): Promise<{ root: string; remove: () => void }> {
  const root = mkdtempSync(join(tmpdir(), "sealroot-image-"));
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  for (const [path, source] of Object.entries(PROGRAMS)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    copyFileSync(realpathSync(source), join(root, path));
  }
  appendFileSync(join(root, "usr/bin/qjs"), QUICKJS_TEXT);
  for (const name of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(root, name));
  for (const { requestedPath, bytes, role } of await collectLibraries(Object.values(PROGRAMS), findHere)) {
    if (role !== "program") put(requestedPath.replace(/^\/lib/, "/usr/lib"), bytes);
  }
  const folder = `usr/lib/modules/${RELEASE}`;
  put(`${folder}/modules.dep`, MODULES_DEP);
  // This machine's mount may be older than 2.41 and then needs a loop device.
  put(`${folder}/modules.builtin`, "kernel/fs/ext4/ext4.ko\nkernel/drivers/block/loop.ko\n");
  for (const path of [
    "kernel/fs/overlayfs/overlay.ko",
    "kernel/drivers/block/virtio_blk.ko",
    "kernel/drivers/ata/ahci.ko",
    "kernel/drivers/watchdog/softdog.ko",
    "kernel/drivers/watchdog/i6300esb.ko",
    "kernel/drivers/watchdog/watchdog.ko",
    "kernel/sound/unused.ko",
  ]) {
    put(`${folder}/${path}`, MODULE_BYTES);
  }
  put(`${folder}/kernel/lib/libcrc32c.ko.zst`, zstdCompressSync(MODULE_BYTES));
  put(`${folder}/kernel/fs/erofs/erofs.ko.xz`, (await runTool("xz", ["--stdout"], { input: MODULE_BYTES })).stdout);
  return { root, remove: () => existsSync(root) && rmSync(root, { recursive: true }) };
}
