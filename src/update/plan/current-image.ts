/** The image that runs, to be compared with the one that comes. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { addonLines, installedAddons } from "../../bootloader/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { bootFilePath, type HostDeployment, type HostPlaces, requireEsp } from "../../host/index.ts";
import { mergeLayers, readStoredImage, storedLayers } from "../../imagestore/index.ts";
import { type PackageLists, readPackageLists } from "../../packages/index.ts";
import { readUki } from "../../pe/index.ts";
import type { Repository } from "../../repository/index.ts";
import { type DirectoryNode, TreeFiles } from "../../tree/index.ts";
import { type BootParts, NO_ADDONS_LOADED } from "./planned-boot.ts";

export interface CurrentImage {
  /** Merged layers. */
  readonly tree: DirectoryNode;
  readonly packages: PackageLists;
}

/** Runs a part of a plan: what it is refused for is unknown, and the rest of the plan is made. */
export async function orUnknown<Value>(
  read: () => Promise<Value> | Value,
): Promise<Value | { readonly unknown: string }> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof SealrootError) return { unknown: error.message };
    throw error;
  }
}

/** @throws SealrootError `not-found` when the repository lacks it */
export async function readCurrentImage(repository: Repository, booted: HostDeployment): Promise<CurrentImage> {
  const { manifestDigest } = booted.origin;
  const stored = manifestDigest === undefined ? undefined : await readStoredImage(repository, manifestDigest);
  if (stored === undefined) {
    const what = `Cannot read the image that runs: ${manifestDigest ?? "it"} is not in the repository`;
    throw new SealrootError("not-found", what, { path: repository.path });
  }
  const tree = await mergeLayers(repository, storedLayers(stored));
  const readObject = (objectId: string) => repository.objects.read(objectId);
  const files = new TreeFiles(tree, readObject);
  const packages = await readPackageLists(files, (content) =>
    content.type === "inline" ? content.bytes : readObject(content.objectId ?? ""),
  );
  return { tree, packages };
}

/** What the booted deployment started with. @throws SealrootError `not-found` without a boot entry; as readUki */
export function currentBoot(
  places: HostPlaces,
  { entry, commandLine, deploymentId, origin }: HostDeployment,
): BootParts {
  if (entry === undefined || commandLine === undefined) {
    throw new SealrootError("not-found", `Cannot read what started ${deploymentId}: its boot entry is lost`);
  }
  const { target } = entry.entry;
  const { bootDigest } = origin;
  if (target.type !== "uki") return { ...NO_ADDONS_LOADED, commandLine, bootDigest, uki: undefined };
  const path = bootFilePath(places, target.path);
  const esp = requireEsp(places, "look for add-ons");
  const { addons } = installedAddons(esp);
  const pathsOf = (owner: string | undefined) =>
    addons.filter((addon) => addon.deploymentId === owner).map((addon) => addon.path);
  const scopedAddons = addonLines(esp, pathsOf(deploymentId));
  const globalAddons = addonLines(esp, pathsOf(undefined));
  try {
    return { commandLine, scopedAddons, globalAddons, bootDigest, uki: readUki(readFileSync(path), target.path) };
  } catch (error) {
    throw asSealrootError(error, `Cannot read the UKI ${target.path}`, { path });
  }
}

/** The text of the live crypttab(5); empty when there is none. */
export function readCrypttab(etcPath: string): string {
  const path = join(etcPath, "crypttab");
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
}
