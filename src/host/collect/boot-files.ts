/** Boot files that no entry names: UKIs, their add-ons, kernels, and what interrupted work left (spec/host.md 1.4, 1.5). */
import { basename, dirname, join } from "node:path";
import { GLOBAL_ADDONS_FOLDER, GRUB_MENU_FOLDER, STAGED_GRUB_MENU } from "../../bootloader/index.ts";
import { isTemporaryName, namesIn } from "../../platform/index.ts";
import { type HostPlaces, placeOfBootFile } from "../host-places.ts";
import { type InUse, UKI_DIRECTORY } from "./in-use.ts";
import { type PlannedItem, plannedItem } from "./item.ts";

const STAGED_ENTRIES = "loader/entries.staged";
const STAGED_MENU = `${GRUB_MENU_FOLDER}/${STAGED_GRUB_MENU}`;
const UKI_OR_ADDONS = /^bootc_composefs-([0-9a-f]{64}|[0-9a-f]{128})\.efi(?:\.extra\.d)?$/;
const KERNEL_DIRECTORY = /^bootc_composefs-([0-9a-f]{64}|[0-9a-f]{128})$/;

/**
 * What of the boot directory is garbage, in order of its removal. Only names that bootc and sealroot give; files of other
 * systems, global add-ons and names without the prefix, which old systems have, are never among them.
 */
export function garbageBootFiles(places: HostPlaces, inUse: InUse): PlannedItem[] {
  const { bootDirectory, bootLoader } = places;
  if (bootDirectory === undefined || inUse.isUnclear) return [];
  const unused = (pattern: RegExp) => (name: string) => {
    const id = pattern.exec(name)?.[1];
    return isTemporaryName(name) || (id !== undefined && !inUse.bootFileIds.has(id));
  };
  const kernels = bootLoader === "grub" ? "" : "EFI/Linux";
  const esp = placeOfBootFile(places, UKI_DIRECTORY)?.directory;
  const leftovers = [STAGED_ENTRIES, ...(bootLoader === "grub" ? [STAGED_MENU] : [])].filter(
    (path) => !inUse.hasStaged && namesIn(join(bootDirectory, dirname(path))).includes(basename(path)),
  );
  const paths = [
    ...leftovers,
    ...namesBelow(bootDirectory, "loader", isTemporaryName),
    ...(esp === undefined ? [] : namesBelow(esp, GLOBAL_ADDONS_FOLDER, isTemporaryName)),
    ...(esp === undefined ? [] : namesIn(join(esp, UKI_DIRECTORY))).flatMap((name) => {
      const path = join(UKI_DIRECTORY, name);
      if (unused(UKI_OR_ADDONS)(name)) return [path];
      return UKI_OR_ADDONS.test(name) ? namesBelow(esp ?? "", path, isTemporaryName) : [];
    }),
    ...(inUse.kernelsAreUnclear ? [] : namesBelow(bootDirectory, kernels, unused(KERNEL_DIRECTORY))),
  ];
  return paths.map((path) => plannedItem(placeOfBootFile(places, path)?.directory ?? "", path));
}

function namesBelow(root: string, directory: string, isWanted: (name: string) => boolean): string[] {
  return namesIn(join(root, directory))
    .filter(isWanted)
    .map((name) => join(directory, name));
}
