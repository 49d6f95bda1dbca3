/** The programs of the system that sealroot calls, where they are looked for, and which package has them. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";

/** Program → Debian package. A program that is not here is reported without a package. */
const DEBIAN_PACKAGE_OF_TOOL: Readonly<Record<string, string>> = {
  apt: "apt",
  blkid: "util-linux",
  blockdev: "util-linux",
  bootctl: "systemd-boot",
  cryptsetup: "cryptsetup-bin",
  debugfs: "e2fsprogs",
  dpkg: "dpkg",
  "dpkg-deb": "dpkg",
  "dump.erofs": "erofs-utils",
  e2fsck: "e2fsprogs",
  findmnt: "util-linux",
  "fsck.erofs": "erofs-utils",
  "fsck.fat": "dosfstools",
  fsverity: "fsverity",
  gpgv: "gpgv",
  losetup: "mount",
  mcopy: "mtools",
  mdir: "mtools",
  mke2fs: "e2fsprogs",
  "mkfs.btrfs": "btrfs-progs",
  "mkfs.fat": "dosfstools",
  "mkfs.vfat": "dosfstools",
  "mkfs.xfs": "xfsprogs",
  mmd: "mtools",
  mmdebstrap: "mmdebstrap",
  mount: "mount",
  mtype: "mtools",
  mdel: "mtools",
  openssl: "openssl",
  osslsigncode: "osslsigncode",
  podman: "podman",
  "qemu-img": "qemu-utils",
  "qemu-system-aarch64": "qemu-system-arm",
  "qemu-system-x86_64": "qemu-system-x86",
  qjs: "quickjs",
  sbsign: "sbsigntool",
  sbverify: "sbsigntool",
  setpriv: "util-linux",
  sfdisk: "fdisk",
  skopeo: "skopeo",
  swtpm: "swtpm",
  tar: "tar",
  tune2fs: "e2fsprogs",
  umount: "mount",
  wipefs: "util-linux",
  xz: "xz-utils",
  zstd: "zstd",
};

/** Directories searched after PATH: disk tools live in them and ordinary users often lack them in PATH. */
const SYSTEM_DIRECTORIES = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/** The absolute path of the program `name`, or undefined when it is neither in PATH nor in the system directories. */
export function findTool(name: string): string | undefined {
  if (name.includes("/")) return isExecutable(name) ? name : undefined;
  const directories = [
    ...(process.env.PATH ?? "").split(":").filter((part) => part.startsWith("/")),
    ...SYSTEM_DIRECTORIES,
  ];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

/** The Debian package that has the program, if known. */
function packageOfTool(name: string): string | undefined {
  return DEBIAN_PACKAGE_OF_TOOL[name];
}

/**
 * As {@link findTool}, but absence is an error.
 * @throws SealrootError `missing-tool`, naming the Debian package
 */
export function requireTool(name: string): string {
  const path = findTool(name);
  if (path !== undefined) return path;
  const debianPackage = packageOfTool(name);
  const remedy = debianPackage === undefined ? "" : `, install the Debian package ${debianPackage}`;
  throw new SealrootError("missing-tool", `Cannot run ${name}: the program is not installed${remedy}`, {
    path: name,
    ...(debianPackage === undefined ? {} : { hint: `apt install ${debianPackage}` }),
  });
}

/** @throws SealrootError `missing-tool` for the first of `names` that is absent: call before work begins */
export function requireTools(names: readonly string[]): void {
  for (const name of names) requireTool(name);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
