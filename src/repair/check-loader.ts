/** The boot loader on the ESP: its signature, and whether a deployment's image has this one. */

import { join } from "node:path";
import {
  fallbackLoaderPath,
  isFallbackLoader,
  isInstalledLoader,
  LOADER_FOLDERS,
  writeEspFile,
} from "../bootloader/index.ts";
import type { HostPlaces } from "../host/index.ts";
import { namesInIfReadable } from "../platform/index.ts";
import { type MendableFault, onEsp } from "./fault.ts";
import type { ImageFile } from "./image-boot-files.ts";
import { readProgram } from "./read-program.ts";

export interface LoaderCheck {
  readonly faults: readonly MendableFault[];
  /** Worth saying, and nothing wrong. */
  readonly notes: readonly string[];
}

/** @param images the loaders of the kept deployments, the first in the menu first */
export async function checkLoader(
  { bootDirectory, bootLoader }: HostPlaces,
  images: readonly ImageFile[],
): Promise<LoaderCheck> {
  if (bootDirectory === undefined || bootLoader !== "systemd") return { faults: [], notes: [] };
  const paths = LOADER_FOLDERS.flatMap((folder) =>
    namesInIfReadable(join(bootDirectory, folder))
      .map((name) => `${folder}/${name}`)
      .filter((path) => isFallbackLoader(path) || isInstalledLoader(path)),
  );
  if (paths.length === 0) return { faults: [missing(bootDirectory, images)], notes: [] };
  const programs = await Promise.all(
    paths.map(async (path) => ({ path, ...(await readProgram(bootDirectory, path)) })),
  );
  const good = programs.flatMap(({ bytes, detail }) => (bytes === undefined || detail !== undefined ? [] : [bytes]));
  const faults = programs.flatMap(({ path, detail }): MendableFault[] => {
    if (detail === undefined) return [];
    const source = () => good[0] ?? images[0]?.read();
    const canMend = good.length + images.length > 0;
    return [
      {
        ...{ kind: "loader-damaged", subject: onEsp(path), detail, deployments: [], repairable: canMend },
        mend: canMend ? () => writeProgram(bootDirectory, path, source()) : undefined,
      },
    ];
  });
  const notes = programs.flatMap(({ path, bytes, detail }) => {
    if (bytes === undefined || detail !== undefined || images.length === 0) return [];
    return images.some((image) => image.isSame(bytes))
      ? []
      : [`${onEsp(path)} is not the boot loader of any deployment`];
  });
  return { faults, notes };
}

function missing(bootDirectory: string, [image]: readonly ImageFile[]): MendableFault {
  const architecture = /systemd-boot([a-z0-9]+)\.efi/.exec(image?.path ?? "")?.[1] ?? "x64";
  const path = fallbackLoaderPath(architecture);
  return {
    ...{ kind: "loader-missing", subject: onEsp(path), detail: "there is no boot loader", deployments: [] },
    repairable: image !== undefined,
    mend: image && (() => writeProgram(bootDirectory, path, image.read())),
  };
}

function writeProgram(bootDirectory: string, path: string, bytes: Uint8Array | undefined): void {
  if (bytes !== undefined) writeEspFile(bootDirectory, { path, bytes });
}
