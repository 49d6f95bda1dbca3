/** The installation configuration of bootc: TOML drop-ins that are merged into one (spec/host-install.md 3). */
import * as v from "valibot";
import { parseTomlFile } from "../bootimage/index.ts";
import { corrupt } from "../errors/index.ts";
import type { TreeFiles } from "../tree/index.ts";
import { type ConfigurationFiles, filesOfDirectory, filesOfImage } from "./configuration-files.ts";

/** Where drop-ins are looked for, below the root; a later directory masks files of the same name in an earlier one. */
const FOLDERS = ["usr/lib", "usr/local/lib", "etc", "run"].map((base) => `${base}/bootc/install`);

const filesystem = v.picklist(["xfs", "ext4", "btrfs"]);
const optionalText = v.optional(v.string());
const optionalTexts = v.optional(v.array(v.string()));

const schema = v.looseObject({
  "root-fs-type": v.optional(filesystem),
  filesystem: v.optional(v.looseObject({ root: v.optional(v.looseObject({ type: v.optional(filesystem) })) })),
  block: v.optional(v.array(v.picklist(["direct", "tpm2-luks"]))),
  kargs: optionalTexts,
  "karg-deletes": optionalTexts,
  "match-architectures": optionalTexts,
  ostree: v.optional(v.looseObject({ "bls-append-except-default": optionalText })),
  stateroot: optionalText,
  "root-mount-spec": optionalText,
  "boot-mount-spec": optionalText,
  bootupd: v.optional(v.looseObject({ "skip-boot-uuid": v.optional(v.boolean()) })),
  bootloader: v.optional(v.picklist(["grub", "grub-cc", "systemd", "none"])),
  "discoverable-partitions": v.optional(v.boolean()),
  "enforce-container-sigpolicy": v.optional(v.boolean()),
});

/** One file's, or the merged, `[install]` table. */
export type InstallConfiguration = v.InferOutput<typeof schema>;

export type ConfigurationKey = keyof typeof schema.entries;
export type ConfigurationValue<K extends ConfigurationKey> = NonNullable<v.InferOutput<(typeof schema.entries)[K]>>;

const KEYS = Object.keys(schema.entries);
/** The keys inside the tables, as TOML writes them. */
const NESTED_KEYS: Readonly<Record<string, readonly string[]>> = {
  filesystem: ["root"],
  "filesystem.root": ["type"],
  ostree: ["bls-append-except-default"],
  bootupd: ["skip-boot-uuid"],
};

/** Every key of `[install]` with a value: `block`, `filesystem.root.type` … */
export const CONFIGURATION_KEYS: readonly string[] = KEYS.flatMap((key) => leafKeys(key));

function leafKeys(path: string): string[] {
  return NESTED_KEYS[path]?.flatMap((key) => leafKeys(`${path}.${key}`)) ?? [path];
}
/** Lists that files add to instead of replacing. */
const APPENDED = ["kargs", "karg-deletes"] as const;
/** Tables that are merged key by key. */
const TABLES = ["filesystem", "ostree", "bootupd"] as const;

/** The merged configuration, and what was ignored while reading. */
export interface LoadedConfiguration {
  readonly configuration: InstallConfiguration;
  /** One line for each unknown key. */
  readonly warnings: readonly string[];
}

/**
 * Reads and merges all drop-ins below a directory of this machine.
 *
 * @param architecture as Rust names it (`x86_64`, `aarch64`), for `match-architectures`
 * @throws SealrootError `corrupt` for a file that is not TOML or has a value of the wrong kind
 */
export function loadInstallConfiguration(root: string, architecture: string): Promise<LoadedConfiguration> {
  return loadFrom(filesOfDirectory(root), architecture);
}

/** As {@link loadInstallConfiguration}, for an image. */
export function loadImageConfiguration(files: TreeFiles, architecture: string): Promise<LoadedConfiguration> {
  return loadFrom(filesOfImage(files), architecture);
}

async function loadFrom(files: ConfigurationFiles, architecture: string): Promise<LoadedConfiguration> {
  const warnings: string[] = [];
  let merged: InstallConfiguration = {};
  for (const path of dropIns(files, warnings)) {
    const next = readDropIn(files, path, warnings);
    const architectures = next["match-architectures"];
    if (architectures !== undefined && !architectures.includes(architecture)) continue;
    merged = mergeConfigurations(merged, next);
  }
  return { configuration: canonical(merged), warnings };
}

/** Paths of the files that count, in the order of their names. Hidden ones do not. */
function dropIns(files: ConfigurationFiles, warnings: string[]): string[] {
  const paths = new Map<string, string>();
  for (const folder of FOLDERS) {
    for (const name of files.names(folder)) {
      if (!name.endsWith(".toml") || name.startsWith(".")) continue;
      const path = `${folder}/${name}`;
      const kind = files.kindOf(path);
      if (kind === "file") paths.set(name, path);
      else if (kind === "mask") paths.delete(name);
      else warnings.push(`${files.shown(path)}: Not a file`);
    }
  }
  return [...paths].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

function readDropIn(files: ConfigurationFiles, file: string, warnings: string[]): InstallConfiguration {
  const path = files.shown(file);
  const document = parseTomlFile(path, files.read(file));
  const result = v.safeParse(v.looseObject({ install: v.optional(schema) }), document);
  if (!result.success) {
    const [issue] = result.issues;
    throw corrupt(`Cannot parse ${path}: ${v.getDotPath(issue) ?? "the document"}: ${issue.message}`, { path });
  }
  const { install, ...rest } = result.output;
  const table = install ?? {};
  for (const key of [...Object.keys(rest), ...unknownKeys(table, KEYS, "")]) {
    warnings.push(`${path}: Unknown key ${key}`);
  }
  return Object.fromEntries(Object.entries(table).filter(([key]) => KEYS.includes(key)));
}

/** @param prefix path of the table inside `[install]` with a final dot; empty for `[install]` itself */
function unknownKeys(table: Record<string, unknown>, known: readonly string[], prefix: string): string[] {
  return Object.entries(table).flatMap(([key, value]) => {
    if (!known.includes(key)) return [`install.${prefix}${key}`];
    const inner = NESTED_KEYS[`${prefix}${key}`];
    return inner !== undefined && isTable(value) ? unknownKeys(value, inner, `${prefix}${key}.`) : [];
  });
}

/** Scalars of `next` win, lists of kernel arguments grow, tables are merged key by key. */
function mergeConfigurations(base: InstallConfiguration, next: InstallConfiguration): InstallConfiguration {
  // An architecture list applies only to its own file.
  const { "match-architectures": _matched, ...merged } = { ...base, ...next };
  const result: InstallConfiguration = merged;
  for (const key of APPENDED) {
    if (base[key] !== undefined && next[key] !== undefined) result[key] = [...base[key], ...next[key]];
  }
  for (const key of TABLES) {
    if (base[key] !== undefined && next[key] !== undefined)
      Object.assign(result, { [key]: mergeTables(base[key], next[key]) });
  }
  return result;
}

function mergeTables(base: Record<string, unknown>, next: Record<string, unknown>): Record<string, unknown> {
  const result = { ...base };
  for (const [key, value] of Object.entries(next)) {
    const known = result[key];
    result[key] = isTable(known) && isTable(value) ? mergeTables(known, value) : value;
  }
  return result;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The two spellings of the root's type say the same afterwards; block setups have their default. */
function canonical(merged: InstallConfiguration): InstallConfiguration {
  if (Object.keys(merged).length === 0) return merged;
  const rootType = merged.filesystem?.root?.type ?? merged["root-fs-type"];
  const block = merged.block ?? ["direct" as const];
  if (rootType === undefined) return { ...merged, block };
  const root = { ...merged.filesystem?.root, type: rootType };
  return { ...merged, block, "root-fs-type": rootType, filesystem: { ...merged.filesystem, root } };
}

/**
 * The merged configuration as `install print-configuration` prints it: canonical JSON (sorted keys, no blanks), unset
 * keys null, kernel arguments only if set and requested.
 *
 * @param all whether to print what `install` itself handles, the kernel arguments
 */
export function configurationJson(configuration: InstallConfiguration, all: boolean): string {
  const shown: Record<string, unknown> = {};
  for (const key of [...KEYS].sort()) {
    const isKernelArguments = APPENDED.some((name) => name === key);
    const value = configuration[key as keyof InstallConfiguration];
    if (!isKernelArguments) shown[key] = value ?? null;
    else if (all && value !== undefined) shown[key] = value;
  }
  return JSON.stringify(shown);
}
