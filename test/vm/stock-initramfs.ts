/** Debian's own initramfs files, made by its own generators, as bases for our extension. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "../../src/platform/index.ts";
import type { ImageFiles } from "../../src/tree/index.ts";
import { cacheDirectory } from "../guest/base.ts";
import { filesOfDirectory } from "../seal/initramfs/directory-files.ts";

export interface StockInitramfs {
  readonly kernelPath: string;
  readonly kernelRelease: string;
  /** The system both were made in. */
  readonly files: ImageFiles;
  read(generator: "dracut" | "initramfs-tools"): Promise<Uint8Array>;
  readKernel(): Promise<Uint8Array>;
}

/** The kernel package brings initramfs-tools and runs it; dracut-core can be beside it. */
const PACKAGES = [
  "linux-image-cloud-amd64",
  "initramfs-tools",
  "dracut-core",
  "systemd-sysv",
  "udev",
  "e2fsprogs",
  "quickjs",
  "zstd",
];

/** With extension images, which a stock one does not take: the more the base can do, the more ours must keep out. */
const RUN_DRACUT =
  'chroot "$1" sh -c "dracut --no-hostonly --no-hostonly-cmdline --add systemd-sysext --force /boot/dracut.img \\$(ls /usr/lib/modules)"';

/** What is kept of the system: what an extension is built of. */
const KEPT = [
  "./boot/*",
  "./lib",
  "./lib64",
  "./bin",
  "./sbin",
  "./usr/bin/*",
  "./usr/sbin/*",
  "./usr/lib64/*",
  "./usr/lib/x86_64-linux-gnu/*",
  "./usr/lib/modules/*",
];

/** Brings the files from the cache, or makes them: a bootstrap of some 100 s. */
export async function stockInitramfs(): Promise<StockInitramfs> {
  const key = createHash("sha256")
    .update([...PACKAGES, RUN_DRACUT, ...KEPT].join("\n"))
    .digest("hex")
    .slice(0, 16);
  const root = join(cacheDirectory(), `stock-initramfs-${key}`);
  if (!existsSync(root)) await makeStock(root);
  const names = await readdir(join(root, "boot"));
  const kernel = names.find((name) => name.startsWith("vmlinuz-")) ?? "";
  const kernelRelease = kernel.slice("vmlinuz-".length);
  const file = { dracut: "dracut.img", "initramfs-tools": `initrd.img-${kernelRelease}` };
  return {
    kernelPath: join(root, "boot", kernel),
    kernelRelease,
    files: filesOfDirectory(root),
    read: (generator) => readFile(join(root, "boot", file[generator])),
    readKernel: () => readFile(join(root, "boot", kernel)),
  };
}

async function makeStock(root: string): Promise<void> {
  await mkdir(cacheDirectory(), { recursive: true });
  const work = await mkdtemp(join(cacheDirectory(), "making-stock-"));
  try {
    const archive = join(work, "system.tar");
    const options = ["--variant=essential", '--aptopt=Apt::Install-Recommends "false"', "--skip=output/dev"];
    const include = `--include=${PACKAGES.join(",")}`;
    await runTool("mmdebstrap", [
      "--format=tar",
      ...options,
      include,
      `--customize-hook=${RUN_DRACUT}`,
      "trixie",
      archive,
    ]);
    await mkdir(join(work, "root"));
    await runTool("tar", ["-x", "-f", archive, "-C", join(work, "root"), "--wildcards", "--no-same-owner", ...KEPT]);
    // Two test files may make it at the same time; one is enough.
    await rename(join(work, "root"), root).catch((error: unknown) => {
      if (!existsSync(root)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
