/** From a root file system to a signed UKI, a sealed image, a disk; beside the tools from which others put that together. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BenchCase, type Counterpart, counterpart, shell } from "./bench-case.ts";
import type { BenchInputs } from "./cases.ts";
import { CHECKOUT, sealroot } from "./sealroot.ts";

const DISK_SIZE = "6G";

type SystemInputs = Pick<BenchInputs, "disk" | "boot" | "scratch">;

export function signingCase({ disk, boot, scratch }: BenchInputs): BenchCase {
  const keys = disk.keysDirectory;
  const program = join(CHECKOUT, "bench/sign-uki.ts");
  const key = ["--key", join(keys, "db.key"), "--cert", join(keys, "db.pem")];
  return {
    name: "sign a UKI",
    ours: {
      command: { program: process.execPath, args: [program, keys, boot.unsignedUki, join(scratch, "ours.efi")] },
    },
    counterparts: [
      counterpart("sbsign", ["sbsign"], (sbsign = "") => ({
        command: { program: sbsign, args: [...key, "--output", join(scratch, "theirs.efi"), boot.unsignedUki] },
      })),
    ],
  };
}

/** A digest without its algorithm. */
const LAST_WORD = "tail -n 1 | sed 's/.*://'";

/** ukify starts sbsign itself, which it finds in the path. */
const UKIFY = [
  '"$ukify" build --linux "$kernel" --initrd "$initramfs" --stub "$stub" --cmdline "composefs=$id rw"',
  '--os-release "@$osrelease" --secureboot-private-key "$keys/db.key" --secureboot-certificate "$keys/db.pem"',
  '--signtool sbsign --output "$uki" >/dev/null',
].join(" ");

export function ukiCase({ disk, trees, boot, scratch }: BenchInputs): BenchCase {
  const keys = disk.keysDirectory;
  const tree = trees[0]?.path ?? "";
  const signing = ["--secureboot-private-key", `${keys}/db.key`, "--secureboot-certificate", `${keys}/db.pem`];
  return {
    name: "make a signed UKI of the Debian directory, with its digest",
    ours: {
      command: sealroot(
        ...["container", "ukify", "--rootfs", tree, "--initramfs", "minimal", "--"],
        ...["--stub", boot.stub, ...signing, "--output", join(scratch, "ours-made.efi")],
      ),
    },
    counterparts: [
      counterpart("cfsctl, ukify", ["cfsctl", "ukify", "sbsign"], (cfsctl = "", ukify = "") => ({
        command: {
          ...shell([`id=$("$cfsctl" --hash sha512 compute-id --bootable "$tree" | ${LAST_WORD})`, UKIFY]),
          env: { ...bootWords({ disk, boot }), cfsctl, ukify, tree, uki: join(scratch, "theirs-made.efi"), keys },
        },
      })),
    ],
  };
}

function bootWords({ disk, boot }: Pick<BenchInputs, "disk" | "boot">): Record<string, string> {
  const { kernel, initramfs, stub, osRelease } = boot;
  return { kernel, initramfs, stub, osrelease: osRelease, keys: disk.keysDirectory };
}

export function sealCase(inputs: SystemInputs): BenchCase {
  const { disk, scratch } = inputs;
  const sealed = join(scratch, "sealed");
  return {
    name: "seal the image",
    ours: {
      passing: [sealed],
      command: sealroot("seal", disk.image.reference, "-o", `oci:${sealed}:latest`, "--keys", disk.keysDirectory),
    },
    counterparts: [sealByHand(inputs)],
    goalSeconds: 4,
  };
}

/** Its initramfs is there already. */
function sealByHand({ disk, boot, scratch }: SystemInputs): Counterpart {
  const needs = ["cfsctl", "ukify", "skopeo", "umoci", "sbsign"] as const;
  const [repository, sealed] = [join(scratch, "by-hand-repository"), join(scratch, "by-hand")];
  const lines = [
    'repo() { "$cfsctl" --repo "$repository" --hash sha512 "$@"; }',
    "repo init --insecure >/dev/null",
    'repo oci pull "$image" bench >/dev/null',
    `id=$(repo oci compute-id --bootable bench | ${LAST_WORD})`,
    UKIFY,
    '"$skopeo" --insecure-policy copy --quiet "$image" "oci:$sealed:latest"',
    '"$umoci" insert --image "$sealed:latest" "$uki" /boot/EFI/Linux/os.efi',
  ];
  return counterpart("cfsctl, ukify, skopeo, umoci", needs, (cfsctl = "", ukify = "", skopeo = "", umoci = "") => ({
    passing: [repository, sealed],
    command: {
      ...shell(lines),
      env: {
        ...bootWords({ disk, boot }),
        ...{ cfsctl, ukify, skopeo, umoci, repository, sealed },
        ...{ image: disk.image.reference, uki: join(scratch, "by-hand.efi") },
      },
    },
  }));
}

export function installCase({ disk, scratch }: Pick<BenchInputs, "disk" | "scratch">): BenchCase {
  const image = join(scratch, "disk.img");
  return {
    name: "install the sealed image to a disk file",
    ours: {
      passing: [image],
      command: sealroot(
        ...["install", "to-disk", image, "--size", DISK_SIZE, "--source-imgref", disk.sealedReference],
        ...["--target-imgref", "localhost/bench:latest"],
      ),
    },
    counterparts: diskMakers(disk.sealedReference, scratch),
    goalSeconds: 3.5,
  };
}

/**
 * Other ways from an image to a disk with an ESP and an ext4 root. Their roots hold the files as they are: nothing is
 * measured, protected by fs-verity, or shared with the next system.
 */
export function diskMakers(sealedReference: string, scratch: string): Counterpart[] {
  const [bundle, image] = [join(scratch, "bundle"), join(scratch, "other-disk.img")];
  const source = sealedReference.replace(/^oci:/, "");
  const unpack = '"$umoci" unpack --image "$source" "$bundle" >/dev/null';
  const common = { source, bundle, image };
  const passing = [bundle, image];
  // Units of 512 bytes: the ESP from 1 MiB to 513 MiB, the root after it up to the place of the second table.
  const byMke2fs = [
    unpack,
    `truncate --size ${DISK_SIZE} "$image"`,
    `printf 'label: gpt\\nstart=2048, size=1048576, type=U\\nstart=1050624, type=L\\n' | "$sfdisk" --quiet "$image"`,
    '"$mkfat" -F 32 --offset 2048 "$image" 524288 >/dev/null',
    '"$mcopy" -s -i "$image@@1M" "$bundle/rootfs/boot/EFI" ::/',
    '"$mke2fs" -q -t ext4 -d "$bundle/rootfs" -E offset=537919488 "$image" 5628M',
  ];
  const byRepart = [
    unpack,
    `"$repart" --empty=create --size=${DISK_SIZE} --offline=yes --dry-run=no --root="$bundle/rootfs" --definitions="$definitions" "$image" >/dev/null 2>&1`,
  ];
  const definitions = join(scratch, "repart.d");
  mkdirSync(definitions, { recursive: true });
  const esp = ["Type=esp", "Format=vfat", "SizeMinBytes=512M", "SizeMaxBytes=512M", "CopyFiles=/boot:/"];
  const root = ["Type=root", "Format=ext4", "CopyFiles=/"];
  writeFileSync(join(definitions, "10-esp.conf"), ["[Partition]", ...esp, ""].join("\n"));
  writeFileSync(join(definitions, "20-root.conf"), ["[Partition]", ...root, ""].join("\n"));
  return [
    counterpart(
      "umoci unpack + mke2fs -d",
      ["umoci", "mke2fs", "mkfs.vfat", "mcopy", "sfdisk"],
      (umoci = "", mke2fs = "", mkfat = "", mcopy = "", sfdisk = "") => ({
        passing,
        command: { ...shell(byMke2fs), env: { ...common, umoci, mke2fs, mkfat, mcopy, sfdisk } },
      }),
    ),
    counterpart("umoci unpack + systemd-repart", ["umoci", "systemd-repart"], (umoci = "", repart = "") => ({
      passing,
      command: { ...shell(byRepart), env: { ...common, umoci, repart, definitions } },
    })),
  ];
}

/** Every link from the firmware's keys to the last object, beside one digest of the same files. */
export function verifyCase({ disk, trees }: Pick<BenchInputs, "disk" | "trees">): BenchCase {
  const tree = trees[0]?.path ?? "";
  const digests = shell(['find "$tree" -type f -print0 | xargs -0 sha512sum >/dev/null']);
  return {
    name: "verify the disk file, every object of it",
    ours: { command: sealroot("verify", disk.diskPath, "--keys", disk.keysDirectory) },
    counterparts: [{ name: "sha512sum of the same files", attempt: { command: { ...digests, env: { tree } } } }],
  };
}
