/** Boot files that no entry names: UKIs, their add-ons, kernels, and what interrupted work left (spec/host.md 1.4, 1.5). */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, hasErrno } from "../../errors/index.ts";
import { isTemporaryName } from "../../platform/index.ts";
import type { HostPlaces } from "../host-places.ts";
import { type InUse, UKI_DIRECTORY } from "./in-use.ts";
import { type PlannedItem, plannedItem } from "./item.ts";

const STAGED_ENTRIES = "loader/entries.staged";
const UKI_OR_ADDONS = /^bootc_composefs-([0-9a-f]{64}|[0-9a-f]{128})\.efi(?:\.extra\.d)?$/;
const KERNEL_DIRECTORY = /^bootc_composefs-([0-9a-f]{64}|[0-9a-f]{128})$/;

/**
 * What of the boot directory is garbage, in order of its removal. Only names that bootc and sealroot give; files of other
 * systems, global add-ons and names without the prefix, which old systems have, are never among them.
 */
export function garbageBootFiles({ bootDirectory, bootLoader }: HostPlaces, inUse: InUse): PlannedItem[] {
  if (bootDirectory === undefined || inUse.isUnclear) return [];
  const unused = (pattern: RegExp) => (name: string) => {
    const id = pattern.exec(name)?.[1];
    return isTemporaryName(name) || (id !== undefined && !inUse.bootFileIds.has(id));
  };
  const kernels = bootLoader === "grub" ? "" : "EFI/Linux";
  const hasLeftover = !inUse.hasStaged && namesIn(join(bootDirectory, "loader")).includes("entries.staged");
  const paths = [
    ...(hasLeftover ? [STAGED_ENTRIES] : []),
    ...namesBelow(bootDirectory, "loader", isTemporaryName),
    ...namesBelow(bootDirectory, UKI_DIRECTORY, unused(UKI_OR_ADDONS)),
    ...(inUse.kernelsAreUnclear ? [] : namesBelow(bootDirectory, kernels, unused(KERNEL_DIRECTORY))),
  ];
  return paths.map((path) => plannedItem(bootDirectory, path));
}

function namesBelow(root: string, directory: string, isWanted: (name: string) => boolean): string[] {
  return namesIn(join(root, directory))
    .filter(isWanted)
    .map((name) => join(directory, name));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw asSealrootError(error, `Cannot list ${directory}`, { path: directory });
  }
}
