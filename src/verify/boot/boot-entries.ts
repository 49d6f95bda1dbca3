/** The boot entries of an ESP, in the order of the menu, and what else there is on it. */

import { compareForSystemdBoot, deploymentOfEntry, type NamedEntry, parseBootEntry } from "../../bls/index.ts";
import type { EnrolmentFile } from "../../bootimage/index.ts";
import { addonFolder, GLOBAL_ADDONS_FOLDER } from "../../bootloader/index.ts";
import { reasonOf } from "../../errors/index.ts";
import type { EspFiles } from "./esp-files.ts";

export interface ListedEntry extends NamedEntry {
  /** On the ESP. */
  readonly path: string;
  /** Undefined for another system's. */
  readonly deploymentId: string | undefined;
}

export interface EntryList {
  /** The one that boots by default first. */
  readonly entries: readonly ListedEntry[];
  /** Files in the place of entries that no loader shows. */
  readonly unusable: readonly { readonly path: string; readonly reason: string }[];
}

const ENTRY = /^loader\/entries\/[^/]+\.conf$/i;
const ENTRY_MAX_BYTES = 1 << 20;

export function listEntries(esp: EspFiles): EntryList {
  const entries: ListedEntry[] = [];
  const unusable: { path: string; reason: string }[] = [];
  for (const { path, sizeBytes } of esp.files.filter((file) => ENTRY.test(file.path))) {
    try {
      if (sizeBytes > ENTRY_MAX_BYTES) throw new Error(`it has ${sizeBytes} bytes`);
      const entry = parseBootEntry(Buffer.from(esp.read(path) ?? []).toString("utf8"));
      const fileName = path.slice(path.lastIndexOf("/") + 1);
      entries.push({ path, fileName, entry, deploymentId: deploymentOfEntry(entry) });
    } catch (error) {
      unusable.push({ path, reason: reasonOf(error) });
    }
  }
  return { entries: entries.sort(compareForSystemdBoot), unusable };
}

/** Where the add-ons are that systemd-stub loads with a UKI: its own and those for all (systemd-stub(7)). */
export function addonPaths(esp: EspFiles, ukiPath: string): string[] {
  const folders = [GLOBAL_ADDONS_FOLDER, addonFolder(ukiPath)].map((folder) => `${folder.toLowerCase()}/`);
  return esp.files.flatMap(({ path }) => {
    const name = path.toLowerCase();
    const isInside = folders.some((folder) => name.startsWith(folder) && !name.slice(folder.length).includes("/"));
    return isInside && name.endsWith(".addon.efi") ? [path] : [];
  });
}

const KEY = /^loader\/keys\/([^/]+)\/([^/]+\.auth)$/i;

/**
 * What systemd-boot enrols.
 * @throws SealrootError for a file that cannot be read
 */
export function enrolmentFilesOf(esp: EspFiles): EnrolmentFile[] {
  return esp.files.flatMap(({ path }) => {
    const [, folder, name] = KEY.exec(path) ?? [];
    const bytes = name === undefined ? undefined : esp.read(path);
    return folder === undefined || name === undefined || bytes === undefined ? [] : [{ folder, name, bytes }];
  });
}
