/** Kernel modules and the order to load them in (modules.dep(5), modules.builtin). */
import { corrupt } from "../errors/index.ts";

/** What a kernel has: modules by name, and names that are built in. */
export interface KernelModules {
  /** Module name to its path and the paths it needs, relative to `/usr/lib/modules/RELEASE`. */
  readonly modules: ReadonlyMap<string, { readonly path: string; readonly needs: readonly string[] }>;
  readonly builtIn: ReadonlySet<string>;
}

/** `kernel/fs/ext4/ext4.ko.xz` is the module `ext4`; `-` and `_` are the same in names. */
export function moduleName(path: string): string {
  return path
    .slice(path.lastIndexOf("/") + 1)
    .replace(/\.ko(\.(xz|zst|gz))?$/, "")
    .replaceAll("-", "_");
}

/**
 * Reads the texts of `modules.dep` and `modules.builtin`.
 * @throws SealrootError `corrupt` with the line
 */
export function parseKernelModules(modulesDep: string, modulesBuiltin: string): KernelModules {
  const modules = new Map<string, { path: string; needs: string[] }>();
  for (const [index, line] of modulesDep.split("\n").entries()) {
    if (line.trim() === "") continue;
    const colon = line.indexOf(":");
    if (colon < 1) throw corrupt(`Cannot parse modules.dep: line ${index + 1} has no colon`, { line: index + 1 });
    const path = line.slice(0, colon);
    const needs = line
      .slice(colon + 1)
      .split(" ")
      .filter((word) => word !== "");
    modules.set(moduleName(path), { path, needs });
  }
  const builtIn = modulesBuiltin
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map(moduleName);
  return { modules, builtIn: new Set(builtIn) };
}

/**
 * The paths to load, needed ones first, each once. Names that are not a module of this kernel are skipped.
 */
export function moduleLoadOrder(kernel: KernelModules, names: readonly string[]): string[] {
  const ordered = new Set<string>();
  for (const name of names) {
    const module = kernel.modules.get(name.replaceAll("-", "_"));
    if (module === undefined) continue;
    // modules.dep lists all needs, the nearest first, so the reverse is a load order.
    for (const need of module.needs.toReversed()) ordered.add(need);
    ordered.add(module.path);
  }
  return [...ordered];
}
