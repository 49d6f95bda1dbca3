/** Boot Loader Specification Type 1 entries: the `.conf` files (UAPI.1; spec/host.md 1.6). */
import { corrupt } from "../errors/index.ts";

/** What an entry starts. Paths are absolute in the file system that holds the entry, with `/`. */
export type EntryTarget =
  | { readonly type: "linux"; readonly linux: string; readonly initrd: readonly string[] }
  /**
   * `uki` is understood only by systemd-boot 258 and later; 257 silently drops such an entry (spec/boot-chain.md I.1).
   */
  | { readonly type: "uki"; readonly key: "efi" | "uki"; readonly path: string };

export interface BootEntry {
  readonly title: string | undefined;
  readonly version: string;
  readonly target: EntryTarget;
  /** The kernel command line; several `options` lines are joined by a space. Firmware-checked UKIs ignore it. */
  readonly options: string | undefined;
  readonly machineId: string | undefined;
  readonly sortKey: string | undefined;
  /** Other fields, kept in their order. */
  readonly otherFields: readonly (readonly [key: string, value: string])[];
}

/**
 * Reads a `.conf` text: lines are trimmed, blank and `#` lines skipped, key and value split at the first blank.
 *
 * @param what names the input in errors
 * @throws SealrootError `corrupt` when `version` is missing, or not exactly one of `linux`, `efi`, `uki` is given
 */
export function parseBootEntry(text: string, what = "boot entry"): BootEntry {
  const fields: [key: string, value: string][] = [];
  for (const rawLine of text.split("\n")) {
    const line = rawLine.trim();
    if (line === "" || line.startsWith("#")) continue;
    const blank = line.search(/[ \t]/);
    fields.push(blank < 0 ? [line, ""] : [line.slice(0, blank), line.slice(blank).trim()]);
  }
  const all = (key: string) => fields.filter(([name]) => name === key).map(([, value]) => value);
  const version = all("version").at(-1);
  if (version === undefined) throw corrupt(`Cannot parse ${what}: the key "version" is missing`);
  const options = all("options");
  return {
    title: all("title").at(-1),
    version,
    target: parseTarget(fields, what),
    options: options.length === 0 ? undefined : options.join(" "),
    machineId: all("machine-id").at(-1),
    sortKey: all("sort-key").at(-1),
    otherFields: fields.filter(([key]) => !KNOWN_KEYS.has(key)),
  };
}

const KNOWN_KEYS = new Set(["title", "version", "linux", "initrd", "efi", "uki", "options", "machine-id", "sort-key"]);

function parseTarget(fields: readonly (readonly [string, string])[], what: string): EntryTarget {
  const [first, ...others] = fields.filter(([key]) => key === "linux" || key === "efi" || key === "uki");
  if (first === undefined) throw corrupt(`Cannot parse ${what}: none of "linux", "efi" and "uki" is given`);
  if (others.length > 0) throw corrupt(`Cannot parse ${what}: more than one of "linux", "efi" and "uki" is given`);
  const [key, path] = first;
  if (path === "") throw corrupt(`Cannot parse ${what}: the key "${key}" has no value`);
  if (key === "efi" || key === "uki") return { type: "uki", key, path };
  return { type: "linux", linux: path, initrd: fields.filter(([name]) => name === "initrd").map(([, value]) => value) };
}

/**
 * Writes the `.conf` text in upstream's order of fields, with a newline at the end.
 *
 * @throws SealrootError `corrupt` for a value with a line break
 */
export function formatBootEntry(entry: BootEntry): string {
  const fields: (readonly [string, string | undefined])[] = [
    ["title", entry.title],
    ["version", entry.version],
  ];
  if (entry.target.type === "uki") {
    fields.push([entry.target.key, entry.target.path]);
  } else {
    fields.push(["linux", entry.target.linux]);
    for (const initrd of entry.target.initrd) fields.push(["initrd", initrd]);
  }
  fields.push(["options", entry.options], ["machine-id", entry.machineId], ["sort-key", entry.sortKey]);
  fields.push(...entry.otherFields);
  let text = "";
  for (const [key, value] of fields) {
    if (value === undefined) continue;
    if (/[\n\r]/.test(value)) throw corrupt(`Cannot write the boot entry: the value of "${key}" has a line break`);
    text += `${key} ${value}\n`;
  }
  return text;
}
