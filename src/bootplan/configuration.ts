/** The image's configuration of its root: `/usr/lib/composefs/setup-root-conf.toml` (spec/host-boot.md 3). */
import { SealrootError } from "../errors/index.ts";
import { parseToml, type TomlTable, type TomlValue } from "./toml.ts";

/** Where an image keeps the file. */
export const ROOT_CONFIGURATION_PATH = "/usr/lib/composefs/setup-root-conf.toml";

/**
 * How a directory of the state is mounted over the image's: not at all, bound and writable, as an overlay whose changes
 * are kept in the state, or as an overlay whose changes are lost.
 */
export type StateMount = "none" | "bind" | "overlay" | "transient";

export interface RootConfiguration {
  /** A writable layer in memory over the whole root. */
  readonly transientRoot: boolean;
  readonly etc: StateMount;
  readonly var: StateMount;
  /** Whether the file says anything about `/var`; otherwise `systemd.volatile=` decides. */
  readonly varIsExplicit: boolean;
  /** Whether every object of the image must be there before the root is made. */
  readonly checkObjects: boolean;
}

/** Ours alone, before the first table; bootc ignores it. */
const CHECK_OBJECTS = "check-objects";

/** Names of `mount` values, with bootc's aliases. */
const MOUNTS: ReadonlyMap<TomlValue, StateMount> = new Map<TomlValue, StateMount>([
  ["none", "none"],
  ["root", "none"],
  ["bind", "bind"],
  ["overlay", "overlay"],
  ["transient", "transient"],
  ["volatile", "transient"],
]);

/**
 * Reads the file; without one, everything is as bootc's defaults. Unknown keys are ignored, as in bootc.
 *
 * @throws SealrootError `corrupt` for a value that is none of the known ones, and for `check-objects` inside a table,
 *   where it would be ignored
 */
export function parseRootConfiguration(text: string | undefined): RootConfiguration {
  const file: TomlTable = text === undefined ? new Map() : parseToml(text, "setup-root-conf.toml");
  const varTable = tableAt(file, "var");
  for (const [name, table] of file) {
    if (!(table instanceof Map && table.has(CHECK_OBJECTS))) continue;
    throw new SealrootError("corrupt", `Cannot use setup-root-conf.toml: ${CHECK_OBJECTS} is in the table [${name}]`, {
      hint: "put it before the first table",
    });
  }
  return {
    transientRoot: booleanAt(tableAt(file, "root"), "root.transient"),
    etc: stateMount(tableAt(file, "etc"), "etc"),
    var: stateMount(varTable, "var"),
    varIsExplicit: varTable.has("mount") || varTable.has("transient"),
    checkObjects: booleanAt(file, CHECK_OBJECTS, true),
  };
}

function tableAt(file: TomlTable, key: string): TomlTable {
  const value = file.get(key) ?? new Map();
  if (!(value instanceof Map)) throw invalid(key, "a table", value);
  return value;
}

function booleanAt(table: TomlTable, name: string, absent = false): boolean {
  const value = table.get(name.slice(name.indexOf(".") + 1)) ?? absent;
  if (typeof value !== "boolean") throw invalid(name, "true or false", value);
  return value;
}

/** `mount` wins; `transient` counts only without it. */
function stateMount(table: TomlTable, name: string): StateMount {
  const transient = booleanAt(table, `${name}.transient`);
  const wanted = table.get("mount");
  if (wanted === undefined) return transient ? "transient" : "bind";
  const mount = MOUNTS.get(wanted);
  if (mount === undefined) throw invalid(`${name}.mount`, [...MOUNTS.keys()].join(", "), wanted);
  return mount;
}

function invalid(key: string, expected: string, value: TomlValue): SealrootError {
  const actual = value instanceof Map ? "a table" : JSON.stringify(typeof value === "bigint" ? String(value) : value);
  return new SealrootError("corrupt", `Cannot use setup-root-conf.toml: ${key} is ${actual}, expected ${expected}`, {
    expected,
    actual,
  });
}
