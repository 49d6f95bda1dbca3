/** Where a boot loader is on an ESP: where firmware looks for it, and where bootctl(1) puts it a second time. */
import type { EfiArchitecture } from "../pe/index.ts";

/** The folders of {@link fallbackLoaderPath} and {@link installedLoaderPath}. */
export const LOADER_FOLDERS = ["EFI/BOOT", "EFI/systemd"] as const;

/**
 * What is started from a disk for which the firmware has no entry (UEFI 2.10, 3.5.1.1).
 * @param architecture as UEFI abbreviates it, such as `x64`
 */
export function fallbackLoaderPath(architecture: string): string {
  return `${LOADER_FOLDERS[0]}/BOOT${architecture.toUpperCase()}.EFI`;
}

/** systemd-boot's own place, for the firmware's own entry. */
export function installedLoaderPath(architecture: EfiArchitecture): string {
  return `${LOADER_FOLDERS[1]}/systemd-boot${architecture}.efi`;
}

/** Of any architecture; FAT knows no case. */
export function isFallbackLoader(path: string): boolean {
  return /^EFI\/BOOT\/BOOT(?:X64|AA64|RISCV64|LOONGARCH64)\.EFI$/i.test(path);
}

export function isInstalledLoader(path: string): boolean {
  return /^EFI\/systemd\/systemd-boot[a-z0-9]+\.efi$/i.test(path);
}
