/** What a new ESP with systemd-boot holds (spec/host.md 1.4). */
import { entryFileName, formatBootEntry, osIdentity, parseOsRelease, ukiEntry, ukiPath } from "../bls/index.ts";
import type { EnrolmentFile, UkiAddon } from "../bootimage/index.ts";
import type { EspFile } from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EfiArchitecture, parsePe, systemdComponentOf } from "../pe/index.ts";

export interface EspLayoutOptions {
  readonly deploymentId: string;
  /** systemd-boot, as it is to be started by the firmware. */
  readonly loader: Uint8Array;
  readonly uki: Uint8Array;
  readonly architecture: EfiArchitecture;
  /** Content of the UKI's `.osrel` section. */
  readonly osRelease: string;
  readonly enrolmentFiles: readonly EnrolmentFile[];
  readonly addons: readonly UkiAddon[];
}

export interface EspLayout {
  readonly files: readonly EspFile[];
  readonly directories: readonly string[];
}

/** From this version on systemd-boot knows the key `uki`; older ones drop such an entry silently (spec/boot-chain.md I.1). */
const UKI_KEY_SINCE = 258;
/** What upstream writes, without newline (spec/host.md 1.4). */
const MENU_TIMEOUT = "timeout 5";
/** Enrols without being asked in virtual machines and from the menu elsewhere (systemd-boot(7), loader.conf(5)). */
const ENROL_WHERE_SAFE = "secure-boot-enroll if-safe";
/** bootctl's mark that the entries are of Type 1 (systemd, src/boot/bootctl-install.c). */
const ENTRIES_TYPE = "type1\n";

/**
 * The files of a new ESP: loader (twice, as bootctl does), UKI, its entry, configuration, enrolment files, add-ons. No
 * random seed: a disk image must not hold one (spec/host-install.md, `--generic-image`).
 *
 * @throws SealrootError `unsupported` when the loader is not systemd-boot; `conflict` when it is for another
 *   architecture than the UKI; `corrupt` for broken PE images
 */
export function espLayout(options: EspLayoutOptions): EspLayout {
  const version = checkedLoaderVersion(options);
  const os = osIdentity(parseOsRelease(options.osRelease));
  const entry = ukiEntry(os, options.deploymentId, "primary", version >= UKI_KEY_SINCE ? "uki" : "efi");
  const path = ukiPath(options.deploymentId).slice(1);
  const loaderConfig = options.enrolmentFiles.length === 0 ? MENU_TIMEOUT : `${MENU_TIMEOUT}\n${ENROL_WHERE_SAFE}\n`;
  const files: EspFile[] = [
    { path: `EFI/BOOT/BOOT${options.architecture.toUpperCase()}.EFI`, bytes: options.loader },
    { path: `EFI/systemd/systemd-boot${options.architecture}.efi`, bytes: options.loader },
    { path, bytes: options.uki },
    {
      path: `loader/entries/${entryFileName(os, options.deploymentId, "primary")}`,
      bytes: text(formatBootEntry(entry)),
    },
    { path: "loader/entries.srel", bytes: text(ENTRIES_TYPE) },
    { path: "loader/loader.conf", bytes: text(loaderConfig) },
  ];
  for (const { folder, name, bytes } of options.enrolmentFiles) {
    files.push({ path: `loader/keys/${folder}/${name}`, bytes });
  }
  for (const { name, bytes } of options.addons) {
    files.push({ path: `${path}.extra.d/${name}.addon.efi`, bytes });
  }
  return { files, directories: ["EFI/BOOT", "EFI/Linux", "EFI/systemd", "loader/entries"] };
}

function checkedLoaderVersion(options: EspLayoutOptions): number {
  const image = parsePe(options.loader, "the boot loader");
  if (image.architecture !== options.architecture) {
    throw new SealrootError(
      "conflict",
      `Cannot install the boot loader: it is for ${image.architecture}, the UKI for ${options.architecture}`,
      { expected: options.architecture, actual: image.architecture },
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

function text(content: string): Uint8Array {
  return Buffer.from(content, "utf8");
}
