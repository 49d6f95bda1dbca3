/** Add-ons for every UKI that bootc and sealroot manage: they may be those of any deployment, also of one that is gone. */

import { type InstalledAddon, installedAddons, writeEspFile } from "../bootloader/index.ts";
import { SealrootError } from "../errors/index.ts";
import { espOf, type HostPlaces } from "../host/index.ts";
import { type MendableFault, onEsp } from "./fault.ts";
import type { ImageBootFiles, ImageFile } from "./image-boot-files.ts";
import { readProgram } from "./read-program.ts";

export interface GlobalAddonsCheck {
  readonly faults: readonly MendableFault[];
  /** Worth saying, and nothing wrong. */
  readonly notes: readonly string[];
  /** Files that were compared. */
  readonly checked: number;
}

/**
 * One that no image has is nobody's to judge; one that was changed after it was signed is damaged.
 *
 * @param images of the kept deployments, the first in the menu first
 */
export async function checkGlobalAddons(
  places: HostPlaces,
  images: readonly ImageBootFiles[],
): Promise<GlobalAddonsCheck> {
  const faults: MendableFault[] = [];
  const notes: string[] = [];
  let checked = 0;
  const esp = espOf(places);
  for (const { name, path } of esp === undefined ? [] : globalAddons(esp)) {
    const sources = images.flatMap((image) => image.globalAddons.get(name) ?? []);
    const [source] = sources;
    if (source === undefined || esp === undefined) continue;
    checked += 1;
    const { bytes, detail } = await readProgram(esp, path);
    if (detail !== undefined) faults.push(damaged(esp, path, { detail, source }));
    else if (bytes !== undefined && !sources.some((one) => one.isSame(bytes))) {
      notes.push(`${onEsp(path)} is not the add-on of any deployment`);
    }
  }
  return { faults, notes, checked };
}

/** A folder that cannot be listed is found by those who need it. */
function globalAddons(esp: string): readonly InstalledAddon[] {
  try {
    return installedAddons(esp).addons.filter(({ scope }) => scope === "global");
  } catch (error) {
    if (error instanceof SealrootError) return [];
    throw error;
  }
}

function damaged(
  esp: string,
  path: string,
  { detail, source }: { readonly detail: string; readonly source: ImageFile },
): MendableFault {
  return {
    ...{ kind: "boot-file-damaged", subject: onEsp(path), detail, deployments: [], repairable: true },
    mend: () => writeEspFile(esp, { path, bytes: source.read() }),
  };
}
