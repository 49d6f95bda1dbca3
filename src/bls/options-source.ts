/**
 * Kernel arguments that belong to somebody: fields `x-options-source-NAME` of a Type 1 entry say which of its options a
 * source, such as TuneD, has put there (bootc, crates/lib/src/loader_entries.rs).
 */
import { SealrootError } from "../errors/index.ts";
import { CommandLine } from "./command-line.ts";
import type { BootEntry } from "./entry.ts";

const KEY_PREFIX = "x-options-source-";
const SOURCE_NAME = /^[A-Za-z0-9_-]+$/;

/** The arguments of each source, as text; sources without any do not count, as in bootc. */
export function optionsOfSources(entry: Pick<BootEntry, "otherFields">): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  for (const [key, value] of entry.otherFields) {
    const name = key.startsWith(KEY_PREFIX) ? key.slice(KEY_PREFIX.length) : "";
    if (name !== "" && value !== "") sources.set(name, value);
  }
  return sources;
}

/**
 * The entry with the arguments of one source replaced.
 *
 * @param options the new arguments; undefined or blank removes the source
 * @param owned arguments that are not removed with the source, because the image asks for them itself
 * @throws SealrootError `usage` for a name that is not one; `unsupported` for an entry of a UKI, whose command line is
 *   inside it
 */
export function withOptionsOfSource(
  entry: BootEntry,
  name: string,
  options: string | undefined,
  owned: readonly string[] = [],
): BootEntry {
  if (!SOURCE_NAME.test(name)) {
    throw new SealrootError("usage", `Cannot set the options of "${name}": it is not a name of a source`, {
      expected: "letters, digits, hyphens and underscores",
      actual: name,
    });
  }
  if (entry.target.type === "uki") {
    throw new SealrootError("unsupported", `Cannot set the options of ${name}: the command line of a UKI is sealed`, {
      hint: "seal the image with --karg, or sign an add-on for this machine",
    });
  }
  const sources = optionsOfSources(entry);
  const others = [...sources].flatMap(([other, text]) => (other === name ? [] : [text]));
  const kept = CommandLine.parse([...others, ...owned].join(" "));
  let line = CommandLine.parse(entry.options ?? "");
  for (const { text } of CommandLine.parse(sources.get(name) ?? "").arguments) {
    if (!kept.hasExact(text)) line = line.removeExact(text);
  }
  const wanted = CommandLine.parse(options ?? "").toString();
  if (wanted !== "") line = line.add(wanted);
  const fields = entry.otherFields.filter(([key]) => key !== `${KEY_PREFIX}${name}`);
  return {
    ...entry,
    options: line.toString(),
    otherFields: wanted === "" ? fields : [...fields, [`${KEY_PREFIX}${name}`, wanted]],
  };
}
