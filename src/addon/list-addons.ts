/** The add-ons of an image, a disk, an ESP that is mounted, or a folder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ADDON_SUFFIX, findUkis, listAddons } from "../bootimage/index.ts";
import { type InstalledAddon, installedAddonsIn } from "../bootloader/index.ts";
import { type FatReader, readDiskLayout } from "../disk/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import { type OpenImageOptions, openImage } from "../images/index.ts";
import { holdDisk } from "../install/index.ts";
import type { ImageReference } from "../oci/index.ts";
import { namesInDirectory } from "../platform/index.ts";
import { unpackImage } from "../seal/index.ts";
import { describeAddon, type ListedAddon } from "./describe-addon.ts";

/** No add-on is larger; firmware loads it into memory. */
export const ADDON_BYTES_MAX = 256 * 1024 * 1024;

/** @throws SealrootError as openImage and unpackImage */
export async function addonsOfImage(
  source: ImageReference,
  options: OpenImageOptions & { readonly events: EventSink },
): Promise<ListedAddon[]> {
  const opened = await openImage(source, options);
  try {
    return await unpackImage(
      opened,
      { source, events: options.events },
      async ({ files }) => {
        const [ukiPath = ""] = findUkis(files);
        const found = listAddons(files, ukiPath);
        return Promise.all(
          found.map(({ name, scope, path }) =>
            describeAddon(files.read(path), { name, scope, path, deploymentId: null }),
          ),
        );
      },
      async (_, addons) => addons,
    );
  } finally {
    await opened.close();
  }
}

/** @throws SealrootError as holdDisk and readDiskLayout */
export async function addonsOfDisk(disk: string): Promise<ListedAddon[]> {
  using held = holdDisk(disk, false);
  const esp = requireEsp(await readDiskLayout(held.fd, held.path), disk);
  const { addons } = installedAddonsIn((folder) => namesOnEsp(esp, folder));
  return await Promise.all(addons.map((addon) => describeInstalled(addon, readFromEsp(esp, addon.path))));
}

/** Of an ESP by its folders, or of any folder with add-ons in it. @throws SealrootError of the file system */
export async function addonsOfDirectory(directory: string): Promise<ListedAddon[]> {
  const names = namesInDirectory(directory);
  if (names.some((name) => /^(?:EFI|loader)$/i.test(name))) {
    const { addons } = installedAddonsIn((folder) => namesInDirectory(join(directory, folder)));
    return Promise.all(addons.map((addon) => describeInstalled(addon, read(join(directory, addon.path)))));
  }
  const files = names.filter((name) => name.endsWith(ADDON_SUFFIX));
  return Promise.all(files.map((name) => addonOfFile(join(directory, name))));
}

/** @throws SealrootError of the file system */
export async function addonOfFile(path: string): Promise<ListedAddon> {
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/\.addon\.efi$/i, "");
  return describeAddon(read(path), { name, scope: null, deploymentId: null, path });
}

export function requireEsp({ esp }: { readonly esp: FatReader | undefined }, disk: string): FatReader {
  if (esp !== undefined) return esp;
  throw new SealrootError("not-found", `Cannot look for add-ons on ${disk}: it has no EFI system partition`, {
    path: disk,
  });
}

export function namesOnEsp(esp: FatReader, folder: string): string[] {
  return (esp.list(folder.split("/")) ?? []).map(({ name }) => name).sort();
}

export function readFromEsp(esp: FatReader, path: string): Uint8Array {
  return esp.read(path.split("/"), ADDON_BYTES_MAX) ?? new Uint8Array(0);
}

function describeInstalled(addon: InstalledAddon, bytes: Uint8Array): Promise<ListedAddon> {
  return describeAddon(bytes, { ...addon, deploymentId: addon.deploymentId ?? null });
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
}
