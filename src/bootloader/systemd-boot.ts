/** systemd-boot as a boot loader (systemd-boot(7), spec/host.md 1.4). */
import type { EnrolmentFile } from "../bootimage/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EfiArchitecture, parsePe, systemdComponentOf } from "../pe/index.ts";
import type { BootLoader } from "./boot-loader.ts";
import { fallbackLoaderPath, installedLoaderPath } from "./loader-path.ts";

/**
 * From this version on systemd-boot knows the key `uki`, and counts the tries of such an entry only; older ones drop it
 * silently, and count with `efi` (docs/bootloaders.md, "Boot counting").
 */
const UKI_KEY_SINCE = 258;
/** What upstream writes, without newline (spec/host.md 1.4). */
const MENU_TIMEOUT = "timeout 5";
/**
 * When systemd-boot enrols the keys beside it (loader.conf(5), secure-boot-enroll): `manual` from its menu; `if-safe`, from the
 * menu and unasked in virtual machines; `force`, unasked on any machine in setup mode; `off`, never.
 */
export type EnrolmentMode = "off" | "manual" | "if-safe" | "force";
/** bootctl's mark that the entries are of Type 1 (systemd, src/boot/bootctl-install.c). */
const ENTRIES_TYPE = "type1\n";

export interface SystemdBootOptions {
  /** systemd-boot, as it is to be started by the firmware. */
  readonly program: Uint8Array;
  readonly architecture: EfiArchitecture;
  /** Enrolled where that is safe; if there are any, the loader is configured for it. */
  readonly enrolmentFiles: readonly EnrolmentFile[];
  /** `if-safe` when absent; with `off` the keys are left out. */
  readonly enrolment?: EnrolmentMode | undefined;
}

/**
 * @throws SealrootError `unsupported` when the program is not systemd-boot; `conflict` when it is for another
 *   architecture; `corrupt` for a broken PE image
 */
export function systemdBoot(options: SystemdBootOptions): BootLoader {
  const { program, architecture, enrolment = "if-safe" } = options;
  const enrolmentFiles = enrolment === "off" ? [] : options.enrolmentFiles;
  const version = checkedVersion(program, architecture);
  const hasKeys = options.enrolmentFiles.length > 0;
  const loaderConfig = hasKeys ? `${MENU_TIMEOUT}\nsecure-boot-enroll ${enrolment}\n` : MENU_TIMEOUT;
  return {
    // Twice, as bootctl does.
    programs: [
      { path: fallbackLoaderPath(architecture), bytes: program },
      { path: installedLoaderPath(architecture), bytes: program },
    ],
    settings: [
      { path: "loader/entries.srel", bytes: Buffer.from(ENTRIES_TYPE) },
      { path: "loader/loader.conf", bytes: Buffer.from(loaderConfig) },
    ],
    keys: enrolmentFiles.map(({ folder, name, bytes }) => ({ path: `loader/keys/${folder}/${name}`, bytes })),
    directories: ["EFI/BOOT", "EFI/Linux", "EFI/systemd", "loader/entries"],
    ukiKey: ukiKeyOf(version),
  };
}

/**
 * The key by which entries name a UKI, for a loader that is there already: what it says of itself decides, not the image.
 *
 * @param loaderInfo the EFI variable LoaderInfo, such as `systemd-boot 257.13-1`
 * @returns `efi`, which each loader starts, when it is not systemd-boot or does not say its version
 */
export function ukiKeyOfLoader(loaderInfo: string | undefined): "efi" | "uki" {
  const version = /^systemd-boot (\d+)/.exec(loaderInfo ?? "")?.[1];
  return ukiKeyOf(Number(version ?? 0));
}

function ukiKeyOf(majorVersion: number): "efi" | "uki" {
  return majorVersion >= UKI_KEY_SINCE ? "uki" : "efi";
}

function checkedVersion(program: Uint8Array, architecture: EfiArchitecture): number {
  const image = parsePe(program, "the boot loader");
  if (image.architecture !== architecture) {
    throw new SealrootError(
      "conflict",
      `Cannot install the boot loader: it is for ${image.architecture}, the UKI for ${architecture}`,
      { expected: architecture, actual: image.architecture },
    );
  }
  const component = systemdComponentOf(image);
  if (component?.component !== "systemd-boot") {
    throw new SealrootError("unsupported", "Cannot install the boot loader: it is not systemd-boot", {
      expected: "systemd-boot",
      actual: component?.component ?? "an unknown EFI program",
    });
  }
  return component.majorVersion;
}
