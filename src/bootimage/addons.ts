/**
 * Add-ons of UKIs: small signed programs with more kernel arguments, which systemd-stub loads beside a UKI (systemd-stub(7)).
 * An image may hold any number; those that are asked for by name are installed.
 */
import { SealrootError } from "../errors/index.ts";
import { leavesBelow, type NodeFinder, requirePlainFile, type TreeFiles } from "../tree/index.ts";
import { UKI_FOLDER } from "./layout.ts";

/** `scoped`: for the UKI of one deployment; `global`: for every UKI of the ESP. */
export type AddonScope = "scoped" | "global";

/** Names of add-ons, without `.addon.efi`. */
export type AddonNames = Readonly<Record<AddonScope, readonly string[]>>;

export const NO_ADDONS: AddonNames = { scoped: [], global: [] };

/** An add-on where an image has it. */
export interface ImageAddon {
  /** Without `.addon.efi`. */
  readonly name: string;
  readonly scope: AddonScope;
  /** In the image. */
  readonly path: string;
}

/** An add-on to be installed. */
export interface UkiAddon {
  /** Without `.addon.efi`. */
  readonly name: string;
  readonly scope: AddonScope;
  readonly bytes: Uint8Array;
}

/** How systemd-stub knows an add-on by its name. */
export const ADDON_SUFFIX = ".addon.efi";

/** Where an image keeps add-ons for every UKI (composefs-boot, bootloader.rs). */
const GLOBAL_FOLDER = "/boot/loader/addons";

/**
 * All add-ons of an image, each name of a scope once: of two, the one in the folder of the image's UKI counts.
 *
 * @param ukiPath of the image's UKI
 * @throws SealrootError `unsupported` for something else in the place of a folder
 */
export function listAddons(image: NodeFinder, ukiPath: string): ImageAddon[] {
  const own = `${ukiPath}.extra.d/`;
  const scoped = leavesBelow(image, UKI_FOLDER);
  const first = (paths: readonly string[]) => [
    ...paths.filter((path) => path.startsWith(own)),
    ...paths.filter((path) => !path.startsWith(own)),
  ];
  return [
    ...addonsAt(leavesBelow(image, GLOBAL_FOLDER).filter(isIn(GLOBAL_FOLDER)), "global"),
    ...addonsAt(first(scoped), "scoped"),
  ];
}

/** systemd-stub looks into no folder below. */
function isIn(folder: string): (path: string) => boolean {
  return (path) => path.lastIndexOf("/") === folder.length;
}

function addonsAt(paths: readonly string[], scope: AddonScope): ImageAddon[] {
  const found = new Map<string, ImageAddon>();
  for (const path of paths) {
    if (!path.endsWith(ADDON_SUFFIX)) continue;
    const name = path.slice(path.lastIndexOf("/") + 1, -ADDON_SUFFIX.length);
    if (!found.has(name)) found.set(name, { name, scope, path });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The add-ons with these names, each once, the scoped ones first.
 *
 * @param all as {@link listAddons} gives them
 * @throws SealrootError `not-found` for one that the image does not have, `unsupported` for something else in its place
 */
export function chooseAddons(image: NodeFinder, all: readonly ImageAddon[], names: AddonNames): ImageAddon[] {
  const choose = (scope: AddonScope) =>
    [...new Set(names[scope])].map((name) => {
      const addon = all.find((one) => one.scope === scope && one.name === name);
      if (addon === undefined) throw noAddon(name, scope, all);
      requirePlainFile(image, addon.path);
      return addon;
    });
  return [...choose("scoped"), ...choose("global")];
}

/**
 * As {@link chooseAddons}, with their contents.
 *
 * @param ukiPath of the image's UKI
 * @throws SealrootError as listAddons and chooseAddons
 */
export function findAddons(image: TreeFiles, ukiPath: string, names: AddonNames): UkiAddon[] {
  if (names.scoped.length + names.global.length === 0) return [];
  return chooseAddons(image, listAddons(image, ukiPath), names).map(({ name, scope, path }) => ({
    ...{ name, scope, bytes: image.read(path) },
  }));
}

function noAddon(name: string, scope: AddonScope, all: readonly ImageAddon[]): SealrootError {
  const file = `${name}${ADDON_SUFFIX}`;
  const path = scope === "scoped" ? UKI_FOLDER : GLOBAL_FOLDER;
  const what = `Cannot install the ${scope === "scoped" ? "" : "global "}add-on ${name}: the image has no ${file}`;
  const near = all.find((one) => one.name === name || `${one.name}${ADDON_SUFFIX}` === name);
  const names = all.filter((one) => one.scope === scope).map((one) => one.name);
  const hint =
    near === undefined
      ? names.length === 0
        ? undefined
        : `it has ${names.join(", ")}`
      : near.scope === scope
        ? `its name is ${near.name}`
        : `it has one that is ${near.scope}`;
  return new SealrootError("not-found", `${what}${scope === "scoped" ? "" : ` in ${GLOBAL_FOLDER}`}`, {
    path,
    ...(hint !== undefined && { hint }),
  });
}

/**
 * Refuses add-ons for an image that has no UKI.
 *
 * @param hint how its kernel arguments are set instead
 * @throws SealrootError `unsupported` naming the first
 */
export function refuseAddons({ scoped, global }: AddonNames, hint: string): void {
  const [name] = [...scoped, ...global];
  if (name === undefined) return;
  const what = `Cannot install the add-on ${name}: the image has no UKI that would read it`;
  throw new SealrootError("unsupported", what, {
    path: scoped.length > 0 ? "--uki-addon" : "--global-uki-addon",
    hint,
  });
}
