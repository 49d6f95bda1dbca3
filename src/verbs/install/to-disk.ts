/** `sealroot install to-disk DISK`. */

import { formatSize } from "../../bytes/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { InstalledDisk, InstallToDiskOptions, UnsealedChoices } from "../../install/index.ts";
import { buildTime } from "../shared/build-time.ts";
import { type ArgumentSpecification, command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { ENFORCE_POLICY_OPTION, POLICY_OPTIONS, policyChoice } from "../shared/policy-option.ts";
import { REGISTRY_OPTIONS, registryOptions } from "../shared/registry-options.ts";
import { parseSize } from "../shared/size.ts";

const ARGUMENTS = [
  { name: "DISK", summary: "disk file to make, or block device" },
] as const satisfies readonly ArgumentSpecification[];

const OPTIONS = [
  { flags: "--source-imgref <IMAGE>", summary: "image to install, such as oci:DIR:TAG" },
  {
    flags: "--size <SIZE>",
    summary: "size of a disk file, such as 4G (default: that of the file being replaced)",
    check: (text) => void parseSize(text, "--size"),
  },
  { flags: "--wipe", summary: "replace an existing file, or destroy what is on a device" },
  { flags: "--target-imgref <NAME>", summary: "image the host upgrades from (default: the source)" },
  { flags: "--target-transport <TRANSPORT>", summary: 'transport of --target-imgref (default "registry")' },
  {
    flags: "--root-size <SIZE>",
    summary: "size of the root partition, MiB without suffix (default: the rest)",
    check: (text) => void parseRootSize(text),
  },
  { flags: "--uki-addon <NAME>", summary: "install the image's add-on NAME.addon.efi beside the UKI", repeat: true },
  {
    flags: "--global-uki-addon <NAME>",
    summary: "install the image's global add-on NAME.addon.efi, for every UKI of the disk",
    repeat: true,
  },
  {
    flags: "--enroll <WHEN>",
    summary:
      "when systemd-boot enrols the image's keys: off, manual (menu), if-safe (default: unasked in virtual machines), force; manual and force warn when db starts no option ROMs",
    choices: ["off", "manual", "if-safe", "force"],
  },
  {
    flags: "--encrypt <HOW>",
    summary: "encrypt the root (LUKS2); tpm2: the machine that first boots the disk binds it to its TPM",
    choices: ["tpm2"],
  },
  { flags: "--recovery-key-file <FILE>", summary: "with --encrypt: new file for the recovery key (default: printed)" },
  {
    flags: "--staging-directory <DIR>",
    summary: "where the repository is staged (default: beside a disk file, else /var/tmp)",
  },
  ENFORCE_POLICY_OPTION,
  ...POLICY_OPTIONS,
  ...REGISTRY_OPTIONS,
  { flags: "--filesystem <TYPE>", summary: "root file system (default ext4)", choices: ["ext4", "xfs", "btrfs"] },
  {
    flags: "--allow-missing-verity",
    summary: "accept an image that is not sealed strictly (composefs=?); of an unsealed one, boot it so",
  },
  {
    flags: "--allow-unsealed",
    summary: "accept an image that is not sealed: whoever can write to the disk decides what boots",
  },
  { flags: "--karg <ARG>", summary: "with --allow-unsealed: add a kernel argument", repeat: true },
  {
    flags: "--karg-delete <ARG>",
    summary: "with --allow-unsealed: leave out an argument of the image, KEY=VALUE or all of KEY",
    repeat: true,
  },
  { flags: "--bootloader <LOADER>", summary: "boot loader (default systemd)", hidden: true },
  { flags: "--block-setup <SETUP>", summary: "direct or tpm2-luks", hidden: true },
  { flags: "--stateroot <NAME>", summary: "default", hidden: true },
  { flags: "--root-ssh-authorized-keys <FILE>", summary: "refused: the disk gets what is in the image", hidden: true },
  { flags: "--bound-images <HOW>", summary: "skip; anything else is refused", hidden: true },
  { flags: "--bootupd-skip-boot-uuid", summary: "accepted; there is no bootupd", hidden: true },
  { flags: "--experimental-unified-storage", summary: "refused: there is one store", hidden: true },
  { flags: "--run-fetch-check", summary: "refused: the host has other logins and networks", hidden: true },
  { flags: "--disable-selinux", summary: "with --allow-unsealed: add selinux=0", hidden: true },
  { flags: "--via-loopback", summary: "accepted; no loop device is needed", hidden: true },
  { flags: "--composefs-backend", summary: "accepted; there is no other", hidden: true },
  { flags: "--generic-image", summary: "accepted; firmware variables are never written", hidden: true },
  { flags: "--skip-fetch-check", summary: "accepted; nothing is fetched", hidden: true },
  { flags: "--target-no-signature-verification", summary: "accepted; bootc ignores it too", hidden: true },
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS, typeof ARGUMENTS>;

export const installToDiskCommand = command({
  description: `Makes a bootable disk from an image, a sealed one unless --allow-unsealed is given. DISK is a plain file, which any user can make: no loop
device, no mount; it is written sparse, beside its final name, and renamed when it is complete and checked. Or it is a
block device, which only root can write; with --wipe everything on it is destroyed.

The disk has an ESP (1 GiB) with the image's signed systemd-boot and UKI, and an ext4 root with the composefs
repository, in which every object has fs-verity. With SOURCE_DATE_EPOCH set, the same image gives the same bytes.`,
  arguments: ARGUMENTS,
  options: OPTIONS,
  examples: [
    "sealroot install to-disk disk.img --source-imgref oci:debian-sealed --size 4G",
    "sealroot install to-disk disk.img --source-imgref oci:os --size 4G --encrypt tpm2 --recovery-key-file disk.key",
    "sealroot install to-disk /dev/sdX --wipe --source-imgref oci:os --target-imgref quay.io/example/os:latest",
  ],
  reportsJson: true,
  async run(invocation) {
    const { installToDisk, refuseForeignOptions } = await import("../../install/index.ts");
    refuseForeignOptions({
      ...layoutChoices(invocation),
      ...unsealedChoices(invocation),
      allowUnsealed: invocation.flag("allow-unsealed"),
      rootSshAuthorizedKeys: invocation.option("root-ssh-authorized-keys"),
      boundImages: invocation.option("bound-images"),
      unifiedStorage: invocation.flag("experimental-unified-storage"),
      fetchCheck: invocation.flag("run-fetch-check"),
      stateroot: invocation.option("stateroot"),
    });
    const disk = await installToDisk(optionsOf(invocation));
    if (invocation.json) invocation.output.json(disk);
    else await printSummary(disk, invocation);
  },
});

function layoutChoices(invocation: Call) {
  return {
    filesystem: invocation.option("filesystem"),
    bootloader: invocation.option("bootloader"),
    blockSetup: invocation.option("block-setup"),
  };
}

function unsealedChoices(invocation: Call): UnsealedChoices {
  return {
    kernelArguments: invocation.list("karg"),
    removedKernelArguments: invocation.list("karg-delete"),
    disableSelinux: invocation.flag("disable-selinux"),
  };
}

function optionsOf(invocation: Call): InstallToDiskOptions {
  const source = invocation.option("source-imgref");
  if (source === undefined) {
    throw new SealrootError("usage", "Cannot install: --source-imgref is not given", {
      hint: "name the image, such as --source-imgref oci:DIR",
    });
  }
  const size = invocation.option("size");
  const rootSize = invocation.option("root-size");
  const targetName = invocation.option("target-imgref");
  const stagingParent = invocation.option("staging-directory");
  // Without the variable every disk gets its own identity, so the current time is not passed on as if it were chosen.
  const isReproducible = (process.env.SOURCE_DATE_EPOCH ?? "") !== "";
  return {
    target: invocation.argument("DISK"),
    source,
    registry: registryOptions(invocation),
    ...(size === undefined ? {} : { sizeBytes: parseSize(size, "--size") }),
    ...(rootSize === undefined ? {} : { rootSizeBytes: parseRootSize(rootSize) }),
    wipe: invocation.flag("wipe"),
    ...(targetName === undefined ? {} : { targetName }),
    targetTransport: invocation.option("target-transport") ?? "registry",
    addonNames: invocation.list("uki-addon"),
    globalAddonNames: invocation.list("global-uki-addon"),
    allowMissingVerity: invocation.flag("allow-missing-verity"),
    ...(invocation.flag("allow-unsealed") ? { unsealed: unsealedChoices(invocation) } : {}),
    choices: layoutChoices(invocation),
    enrolment: enrolmentMode(invocation.option("enroll")),
    encryption: encryptionChoice(invocation),
    ...(isReproducible ? { sourceDateEpoch: buildTime().getTime() / 1000 } : {}),
    ...(stagingParent === undefined ? {} : { stagingParent }),
    policy: policyChoice(invocation, invocation.flag("enforce-container-sigpolicy")),
    events: invocation.events,
  };
}

function encryptionChoice(invocation: Call): InstallToDiskOptions["encryption"] {
  const recoveryKeyFile = invocation.option("recovery-key-file");
  if (invocation.option("encrypt") === "tpm2") return { kind: "tpm2", recoveryKeyFile };
  if (recoveryKeyFile === undefined) return undefined;
  throw new SealrootError("usage", "Cannot use --recovery-key-file: the disk is not encrypted", {
    hint: "give --encrypt tpm2",
  });
}

function enrolmentMode(text: string | undefined): InstallToDiskOptions["enrolment"] {
  return text === "off" || text === "manual" || text === "if-safe" || text === "force" ? text : undefined;
}

/** bootc counts a bare number as mebibytes (spec/host-install.md 2). */
function parseRootSize(text: string): number {
  return parseSize(/^\d+$/.test(text) ? `${text}M` : text, "--root-size");
}

async function printSummary(disk: InstalledDisk, invocation: Call): Promise<void> {
  const { PROTECTION_TEXT } = await import("../../deployment/index.ts");
  const { output } = invocation;
  output.line(`disk        ${disk.path} (${formatSize(disk.sizeBytes)}, ${formatSize(disk.allocatedBytes)} used)`);
  output.line(`deployment  ${disk.deploymentId}`);
  output.line(`manifest    ${disk.manifestDigest}`);
  output.line(`upgrades    ${disk.imageReference}`);
  output.line(`root        UUID=${disk.rootUuid}`);
  if (disk.protection !== undefined) output.line(`protection  ${PROTECTION_TEXT[disk.protection]}`);
  if (disk.encryption !== undefined) {
    const { recoveryKey, recoveryKeyFile } = disk.encryption;
    output.line("encryption  LUKS2; open until its machine has booted it and bound it to its TPM");
    output.line(`recovery    ${recoveryKey ?? `in ${recoveryKeyFile}`}`);
  }
  output.line("Installation complete!");
}
