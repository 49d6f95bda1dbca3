/** The boot entries of a host, to be read and changed. */
import { type BootEntryStore, openEntryStore } from "../bootloader/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type HostPlaces, menuOrder } from "./host-places.ts";

/**
 * @param purpose as in the error: "roll back"
 * @throws SealrootError `not-found` when the boot directory is not known
 */
export function entryStoreOf(
  { bootDirectory, bootLoader }: HostPlaces,
  purpose: string,
): { readonly bootDirectory: string; readonly store: BootEntryStore } {
  if (bootDirectory === undefined) {
    throw new SealrootError("not-found", `Cannot ${purpose}: the boot entries of this host were not found`, {
      hint: "sealroot status says what is wrong with the ESP",
    });
  }
  return { bootDirectory, store: openEntryStore(bootDirectory, menuOrder(bootLoader)) };
}
