/**
 * The files by which a boot loader offers a deployment: its UKI or its kernel and initramfs, the entry that names them,
 * add-ons (spec/host.md 1.4).
 */
import {
  type EntryRank,
  entryFileName,
  formatBootEntry,
  INITRAMFS_FILE,
  KERNEL_FILE,
  kernelEntry,
  kernelFolderName,
  osIdentity,
  parseOsRelease,
  ukiEntry,
  ukiPath,
} from "../bls/index.ts";
import type { Type1Files, UkiAddon } from "../bootimage/index.ts";
import type { EspFile } from "../disk/index.ts";
import { addonPath } from "./addon-files.ts";
import type { BootLoader } from "./boot-loader.ts";

/** A deployment that boots from a UKI. */
export interface UkiDeployment {
  readonly deploymentId: string;
  readonly uki: Uint8Array;
  /** Content of the UKI's `.osrel` section. */
  readonly osRelease: string;
  readonly addons: readonly UkiAddon[];
}

/** A deployment that boots from kernel and initramfs as files. */
export interface KernelDeployment {
  readonly deploymentId: string;
  readonly kernel: Type1Files;
  /** Content of os-release. */
  readonly osRelease: string;
  /** The kernel command line. */
  readonly options: string;
}

/** Where folders of kernels are on an ESP (bootc, EFI_LINUX in bootc_composefs/boot.rs). */
export const ESP_KERNELS_FOLDER = "EFI/Linux";

/** An entry names the UKI, so it is written after it. */
export interface EntryFiles {
  readonly uki: EspFile;
  readonly entry: EspFile;
  readonly addons: readonly EspFile[];
}

/** @param rank the entry that boots by default, or the one to fall back to */
export function entryFiles(
  deployment: UkiDeployment,
  rank: EntryRank,
  { ukiKey }: Pick<BootLoader, "ukiKey">,
): EntryFiles {
  const { deploymentId } = deployment;
  const os = osIdentity(parseOsRelease(deployment.osRelease));
  const text = formatBootEntry(ukiEntry(os, deploymentId, rank, ukiKey));
  const path = ukiPath(deploymentId).slice(1);
  return {
    uki: { path, bytes: deployment.uki },
    entry: { path: `loader/entries/${entryFileName(os, deploymentId, rank)}`, bytes: Buffer.from(text, "utf8") },
    addons: deployment.addons.map((addon) => ({ path: addonPath(addon, path), bytes: addon.bytes })),
  };
}

/** Kernel and initramfs of a deployment in a folder of their own on the ESP, and the entry that names them. */
export function kernelEntryFiles(
  { deploymentId, kernel, osRelease, options }: KernelDeployment,
  rank: EntryRank,
): { readonly kernel: readonly EspFile[]; readonly entry: EspFile } {
  const os = osIdentity(parseOsRelease(osRelease));
  const folder = `${ESP_KERNELS_FOLDER}/${kernelFolderName(deploymentId)}`;
  const text = formatBootEntry(kernelEntry(os, deploymentId, rank, { folder: `/${folder}`, options }));
  return {
    kernel: [
      { path: `${folder}/${KERNEL_FILE}`, bytes: kernel.kernel },
      { path: `${folder}/${INITRAMFS_FILE}`, bytes: kernel.initramfs },
    ],
    entry: { path: `loader/entries/${entryFileName(os, deploymentId, rank)}`, bytes: Buffer.from(text, "utf8") },
  };
}
