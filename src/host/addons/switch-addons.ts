/** Global add-ons of a staged image, written when the host is switched to it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findAddons, findUkis } from "../../bootimage/index.ts";
import { addonPath, writeEspFile } from "../../bootloader/index.ts";
import type { EspFile } from "../../disk/index.ts";
import { hasErrno } from "../../errors/index.ts";
import type { Repository } from "../../repository/index.ts";
import { imageFilesOf } from "./image-files.ts";

/**
 * Writes the global add-ons of these names as the image has them, each in one step. They were checked when it was staged.
 *
 * @param manifestDigest of the image, as the origin file says
 * @throws SealrootError as findAddons and writeEspFile
 */
export async function writeGlobalAddons(
  repository: Repository,
  esp: string,
  manifestDigest: string | undefined,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  const image = await imageFilesOf(repository, manifestDigest);
  const [ukiPath = ""] = findUkis(image);
  const addons = findAddons(image, ukiPath, { scoped: [], global: names });
  const files = addons.map((addon) => ({ path: addonPath(addon, ukiPath), bytes: addon.bytes }));
  for (const file of changedOnEsp(esp, files)) writeEspFile(esp, file);
}

/** Those that are not on the ESP with this content. */
export function changedOnEsp(esp: string, files: readonly EspFile[]): EspFile[] {
  return files.filter(({ path, bytes }) => {
    try {
      return Buffer.compare(readFileSync(join(esp, path)), bytes) !== 0;
    } catch (error) {
      // Whatever is wrong with it, it is to be replaced.
      if (hasErrno(error, "ENOENT", "ENOTDIR", "EIO")) return true;
      throw error;
    }
  });
}
