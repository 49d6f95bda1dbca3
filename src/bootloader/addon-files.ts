/**
 * Add-ons of UKIs on an ESP: those of one deployment in a folder beside its UKI, those of every UKI in `loader/addons`
 * (systemd-stub(7); spec/host.md 1.4).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deploymentOfUkiPath } from "../bls/index.ts";
import type { AddonScope } from "../bootimage/index.ts";
import { hasErrno, SealrootError } from "../errors/index.ts";
import { commandLineOf, parsePe } from "../pe/index.ts";
import { namesIn } from "../platform/index.ts";

/** An add-on on the ESP. */
export interface InstalledAddon {
  /** Without `.addon.efi`, and without the prefix of a global one. */
  readonly name: string;
  readonly scope: AddonScope;
  /** Whose UKI loads it; undefined of a global one. */
  readonly deploymentId: string | undefined;
  /** Below the ESP. */
  readonly path: string;
}

export interface InstalledAddons {
  /** The global ones first; each scope by deployment and name. */
  readonly addons: readonly InstalledAddon[];
  /** Paths of global add-ons that somebody else manages: their names lack the prefix. */
  readonly foreign: readonly string[];
}

/** Where UKIs of deployments are, below the ESP. */
const UKI_FOLDER = "EFI/Linux/bootc";
export const GLOBAL_ADDONS_FOLDER = "loader/addons";
/** Marks global add-ons that bootc and sealroot manage (bootc#2448). */
const GLOBAL_PREFIX = "bootc_composefs-";
/** The firmware's file systems know no case, and neither does systemd-stub here. */
const ADDON = /^(.+)\.addon\.efi$/is;
const FOLDER = /^(.+\.efi)\.extra\.d$/is;

/** The folder beside a UKI from which systemd-stub takes its add-ons. */
export function addonFolder(ukiPath: string): string {
  return `${ukiPath}.extra.d`;
}

/**
 * Where an add-on belongs, below the ESP.
 * @param ukiPath of the deployment's UKI, from the ESP's root
 */
export function addonPath({ name, scope }: Pick<InstalledAddon, "name" | "scope">, ukiPath: string): string {
  if (scope === "global") return `${GLOBAL_ADDONS_FOLDER}/${GLOBAL_PREFIX}${name}.addon.efi`;
  return `${addonFolder(ukiPath).replace(/^\/+/, "")}/${name}.addon.efi`;
}

/**
 * The add-ons of an ESP, also of deployments that are gone.
 *
 * @param bootDirectory the ESP
 * @throws SealrootError when a folder cannot be listed; one that is absent has none
 */
export function installedAddons(bootDirectory: string): InstalledAddons {
  return installedAddonsIn((folder) => namesIn(join(bootDirectory, folder)));
}

/**
 * As {@link installedAddons}, of an ESP that is read in another way.
 * @param list names in a folder below the ESP, in byte order; none when it is absent
 */
export function installedAddonsIn(list: (folder: string) => readonly string[]): InstalledAddons {
  const foreign: string[] = [];
  const global = addonsOf(list, GLOBAL_ADDONS_FOLDER).flatMap(({ name, path }): InstalledAddon[] => {
    if (name.startsWith(GLOBAL_PREFIX) && name !== GLOBAL_PREFIX) {
      return [{ name: name.slice(GLOBAL_PREFIX.length), scope: "global", deploymentId: undefined, path }];
    }
    foreign.push(path);
    return [];
  });
  const scoped = list(UKI_FOLDER).flatMap((folder): InstalledAddon[] => {
    const uki = FOLDER.exec(folder)?.[1];
    if (uki === undefined) return [];
    // Of a folder that nobody named after a deployment, its name is all there is to say.
    const deploymentId = deploymentOfUkiPath(uki) ?? uki.slice(0, -".efi".length);
    return addonsOf(list, `${UKI_FOLDER}/${folder}`).map((addon) => ({ ...addon, scope: "scoped", deploymentId }));
  });
  return { addons: [...global, ...scoped], foreign };
}

function addonsOf(
  list: (folder: string) => readonly string[],
  folder: string,
): { readonly name: string; readonly path: string }[] {
  return list(folder).flatMap((fileName) => {
    const name = ADDON.exec(fileName)?.[1];
    return name === undefined ? [] : [{ name, path: `${folder}/${fileName}` }];
  });
}

/**
 * The kernel arguments that add-ons on the ESP bring along, a line for each that brings some. One that cannot be read brings
 * none: the firmware would not load it either.
 *
 * @param paths below the ESP
 */
export function addonLines(bootDirectory: string, paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    try {
      return commandLineOf(parsePe(readFileSync(join(bootDirectory, path)), path), path) ?? [];
    } catch (error) {
      if (error instanceof SealrootError || hasErrno(error, "ENOENT", "EISDIR", "EIO")) return [];
      throw error;
    }
  });
}
