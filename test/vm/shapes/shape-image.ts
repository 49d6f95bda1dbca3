/** Images of other shapes than the example's, bootstrapped like it and kept in the cache: 1 to 3 minutes each. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BootstrapInputs } from "../../../examples/debian/bootstrap.ts";
import { buildDebianImage, type DebianImage } from "../../../examples/debian/image.ts";
import { silent } from "../../../src/events/index.ts";
import { cacheDirectory } from "../../guest/base.ts";

/**
 * `kernels`: Debian 13 with the full kernel beside the cloud kernel, and an initramfs by dracut for the full one.
 * `bookworm`: the userland of Debian 12 (util-linux 2.38, systemd 252, no QuickJS) with the kernel of its backports.
 * `arm64`: the example for arm64, unpacked here.
 * `encrypted`: the example with what opens an encrypted root by a TPM.
 */
export type ShapeName = "kernels" | "bookworm" | "arm64" | "encrypted";

const CLOUD_KERNEL = "linux-image-cloud-amd64";

/** A generic initramfs where bootc looks for it. dracut 106 without systemd's generators of the build machine. */
const DRACUT = `set -eu
for folder in "$1"/usr/lib/modules/*; do
  case $folder in *cloud*) continue ;; esac
  chroot "$1" dracut --no-hostonly --no-hostonly-cmdline --force /tmp/dracut.img "\${folder##*/}"
  mv "$1/tmp/dracut.img" "$folder/initramfs.img"
done
`;

/**
 * Debian's essential packages as far as a system that only boots needs them, and what depmod reads compressed modules with:
 * unpacking takes what is named.
 */
const ESSENTIAL = [
  ...["base-files", "base-passwd", "bash", "coreutils", "dash", "debianutils", "findutils", "grep", "gzip", "hostname"],
  ...["init-system-helpers", "libc-bin", "liblzma5", "login", "mawk", "passwd", "perl-base", "sed", "tar"],
];

/** As docs/measured-boot.md names them. */
const UNLOCK_PACKAGES = [
  ...["systemd-cryptsetup", "libtss2-esys-3.0.2-0t64", "libtss2-rc0t64", "libtss2-tcti-device0t64"],
];

const DEBIAN = "http://deb.debian.org/debian";

const CHANGES: Readonly<Record<ShapeName, (inputs: BootstrapInputs, unpacked: string) => BootstrapInputs>> = {
  kernels: (inputs) => ({
    ...inputs,
    packages: [...inputs.packages, "linux-image-amd64", "dracut-core", "zstd"],
    layoutHook: DRACUT + inputs.layoutHook,
  }),
  bookworm: (inputs) => ({
    ...inputs,
    suite: "bookworm",
    sources: ["bookworm", "bookworm-backports"].map((suite) => `deb ${DEBIAN} ${suite} main`),
    packages: inputs.packages
      .filter((name) => name !== "quickjs")
      .map((name) => (name === CLOUD_KERNEL ? `${name}/bookworm-backports` : name)),
  }),
  encrypted: (inputs) => ({ ...inputs, packages: [...inputs.packages, ...UNLOCK_PACKAGES] }),
  arm64: (inputs, unpacked) => ({
    ...inputs,
    architecture: "arm64",
    packages: [
      ...ESSENTIAL,
      ...inputs.packages.map((name) => (name === CLOUD_KERNEL ? "linux-image-cloud-arm64" : name)),
    ],
    layoutHook: unpacked + inputs.layoutHook,
  }),
};

/** Brings the image from the cache, or makes it. */
export async function shapeImage(name: ShapeName): Promise<DebianImage> {
  const unpacked = await readFile(join(import.meta.dirname, "unpacked.sh"), "utf8");
  return buildDebianImage({
    directory: join(cacheDirectory(), `shape-${name}`),
    change: (inputs) => CHANGES[name](inputs, unpacked),
    events: silent,
  });
}
