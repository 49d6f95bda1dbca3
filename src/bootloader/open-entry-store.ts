/** Which store a host keeps its boot entries in. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { EntryStore, type MenuOrder } from "./entry-store.ts";
import { type BootEntryStore, GRUB_MENU, GRUB_MENU_FOLDER, GrubMenuStore } from "./grub-menu-store.ts";

/**
 * The boot entries below a boot directory: of GRUB those of its menu of UKIs where there is one, as bootc decides it; else
 * files in `loader/entries`.
 */
export function openEntryStore(bootDirectory: string, order: MenuOrder): BootEntryStore {
  return hasGrubMenu(bootDirectory, order) ? new GrubMenuStore(bootDirectory) : new EntryStore(bootDirectory, order);
}

/** True for a host with GRUB that boots UKIs. */
export function hasGrubMenu(bootDirectory: string, order: MenuOrder): boolean {
  return order === "grub" && existsSync(join(bootDirectory, GRUB_MENU_FOLDER, GRUB_MENU));
}
