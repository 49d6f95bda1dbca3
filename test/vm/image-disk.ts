/** A second disk for a guest with images in folders on it, as a stick that an administrator carries there. */
import { join } from "node:path";
import { runTool } from "../../src/platform/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { guestText } from "./sealed-example.ts";

/** Where {@link mountStick} mounts it. */
export const STICK = "/run/stick";

const SPARE_MIB = 64;

/** Makes an ext4 disk file of the directory. @returns its path, beside the directory */
export async function stickOf(directory: string): Promise<string> {
  const { stdout } = await runTool("du", ["-sm", directory]);
  const sizeMib = Number.parseInt(stdout.toString(), 10) + SPARE_MIB;
  const path = `${directory}.img`;
  await runTool("mke2fs", ["-q", "-t", "ext4", "-d", directory, path, `${sizeMib}M`]);
  return path;
}

/** Mounts the guest's second disk, read-only. */
export async function mountStick(guest: VirtualMachine): Promise<void> {
  await guestText(guest, `mkdir -p ${STICK} && mount -o ro /dev/vdb ${STICK}`);
}

/** The reference of a variant's sealed image on the stick. */
export function onStick(name: string): string {
  return `oci:${join(STICK, `${name}-sealed`)}:${name}`;
}
