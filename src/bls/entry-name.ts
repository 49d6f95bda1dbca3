/** Names of boot entries, their sort keys and the artifacts they start (spec/host.md 1.4 and 1.6). */
import { CommandLine } from "./command-line.ts";
import { findComposefsArguments } from "./composefs-argument.ts";
import type { BootEntry } from "./entry.ts";
import type { OsIdentity } from "./os-release.ts";

/** The entry that boots by default, or the one to fall back to. */
export type EntryRank = "primary" | "secondary";

/** GRUB sorts file names descending, systemd-boot sort keys ascending: hence the opposite numbers. */
const FILE_NUMBER = { primary: 1, secondary: 0 } as const;
const SORT_NUMBER = { primary: 0, secondary: 1 } as const;

/**
 * `bootc_<os id>-<version>-1.conf`. Characters that would change the meaning of the name (`-`, `/`, `+` …) become `_`;
 * upstream replaces `-` in the id only and breaks on such a version.
 */
export function entryFileName(os: OsIdentity, deploymentId: string, rank: EntryRank): string {
  return `bootc_${plainName(os.id)}-${plainName(os.version ?? deploymentId)}-${FILE_NUMBER[rank]}.conf`;
}

/** UAPI.1 allows letters, digits, `.`, `_`, `-` and `+` in names; `-` separates here and `+` begins a boot counter. */
export function plainName(text: string): string {
  return text.replace(/[^A-Za-z0-9._~^]/g, "_");
}

/** `bootc-<os id>-0` */
function entrySortKey(os: OsIdentity, rank: EntryRank): string {
  return `bootc-${os.id}-${SORT_NUMBER[rank]}`;
}

const ARTIFACT_PREFIX = "bootc_composefs-";

/** Name of the UKI of a deployment in `EFI/Linux/bootc/`. */
function ukiFileName(deploymentId: string): string {
  return `${ARTIFACT_PREFIX}${deploymentId}.efi`;
}

/** Path of the UKI of a deployment, absolute in the ESP. */
export function ukiPath(deploymentId: string): string {
  return `/EFI/Linux/bootc/${ukiFileName(deploymentId)}`;
}

/** The deployment whose UKI a path names, or undefined. Names without the prefix, older than it, are understood. */
export function deploymentOfUkiPath(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return /^(?:bootc_composefs-)?([0-9a-f]{128}|[0-9a-f]{64})\.efi$/.exec(name)?.[1];
}

/**
 * The deployment that an entry starts: the one whose UKI it names, or the image its options name (spec/host.md 1.6).
 * Undefined for an entry of another system.
 *
 * @throws SealrootError as findComposefsArguments, for options with more than is allowed
 */
export function deploymentOfEntry({ target, options }: BootEntry): string | undefined {
  if (target.type === "uki") return deploymentOfUkiPath(target.path);
  return findComposefsArguments(CommandLine.parse(options ?? ""))[0]?.id;
}

/** Name of the folder that holds kernel and initramfs of a deployment, and of those that share them. */
export function kernelFolderName(deploymentId: string): string {
  return `${ARTIFACT_PREFIX}${deploymentId}`;
}

/** The names of kernel and initramfs in such a folder. */
export const KERNEL_FILE = "vmlinuz";
export const INITRAMFS_FILE = "initrd";

/** The folder whose kernel an entry starts, if its name is that of one; undefined for a UKI's entry and other systems'. */
export function kernelFolderOfEntry({ target }: BootEntry): string | undefined {
  if (target.type === "uki") return undefined;
  const name = target.linux.split("/").at(-2) ?? "";
  return isKernelFolderName(name) ? name : undefined;
}

/** Whether a folder holds the kernel of some deployment. */
export function isKernelFolderName(name: string): boolean {
  return /^bootc_composefs-(?:[0-9a-f]{128}|[0-9a-f]{64})$/.test(name);
}

/**
 * The Type 1 entry of kernel and initramfs (spec/host.md 1.6).
 *
 * @param folder of kernel and initramfs, absolute in the file system with the entry; those of another deployment if
 *   they are the same
 * @param options the kernel command line
 */
export function kernelEntry(
  os: OsIdentity,
  deploymentId: string,
  rank: EntryRank,
  { folder, options }: { readonly folder: string; readonly options: string },
): BootEntry {
  const inFolder = (name: string) => (folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`);
  return {
    // Without the version, unlike that of a UKI: as upstream.
    title: os.name ?? os.id,
    version: os.version ?? deploymentId,
    target: { type: "linux", linux: inFolder(KERNEL_FILE), initrd: [inFolder(INITRAMFS_FILE)] },
    options,
    machineId: undefined,
    sortKey: entrySortKey(os, rank),
    otherFields: [],
  };
}

/**
 * The Type 1 entry of a UKI.
 *
 * @param key `uki` for a loader of version 258 and later, `efi` for older ones and if it is unknown
 */
export function ukiEntry(os: OsIdentity, deploymentId: string, rank: EntryRank, key: "efi" | "uki"): BootEntry {
  const name = os.name ?? os.id;
  return {
    title: os.version === undefined ? name : `${name} ${os.version}`,
    version: os.version ?? deploymentId,
    target: { type: "uki", key, path: ukiPath(deploymentId) },
    options: undefined,
    machineId: undefined,
    sortKey: entrySortKey(os, rank),
    otherFields: [],
  };
}
