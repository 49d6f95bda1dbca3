/** The registries configuration of a machine: main file and drop-ins, merged (spec/chunked-and-policy.md 3.5). */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { isAbsent } from "../absent-file.ts";
import { DEFAULT_HELPERS } from "./credentials.ts";
import { type HostPaths, userConfigurationDirectory } from "./host-paths.ts";
import { parseRegistries, type RegistriesDocument, type RegistryRule } from "./registries-document.ts";

export interface RegistriesConfiguration {
  /** Every prefix once. */
  readonly rules: readonly RegistryRule[];
  readonly credentialHelpers: readonly string[];
}

/**
 * Reads and merges what the machine and the user have. Of the main file the first found counts; drop-ins are read after
 * it in the order of their names, and one of the user hides one of the system of the same name. A later rule replaces
 * the one of the same prefix as a whole.
 *
 * @param mainFile read instead of the usual ones; it must exist
 * @throws SealrootError as parseRegistries; `not-found` for `mainFile`; `corrupt` when rules contradict each other
 */
export async function readRegistriesConfiguration(
  paths: HostPaths,
  mainFile?: string,
): Promise<RegistriesConfiguration> {
  const documents = [await readMain(paths, mainFile)];
  for (const path of await dropIns(paths)) documents.push(await readOptional(path));
  const rules = new Map<string, RegistryRule>();
  let credentialHelpers = DEFAULT_HELPERS;
  for (const document of documents) {
    if (document === undefined) continue;
    credentialHelpers = document.credentialHelpers ?? credentialHelpers;
    for (const rule of document.rules) rules.set(rule.prefix, rule);
  }
  const merged = [...rules.values()];
  refuseContradictions(merged);
  return { rules: merged, credentialHelpers };
}

async function readMain(paths: HostPaths, mainFile: string | undefined): Promise<RegistriesDocument | undefined> {
  const given = mainFile ?? paths.environment.CONTAINERS_REGISTRIES_CONF;
  if (given) {
    const document = await readOptional(given);
    if (document !== undefined) return document;
    throw new SealrootError("not-found", `Cannot read registries configuration: ${given} does not exist`, {
      path: given,
    });
  }
  for (const directory of [...directories(paths)].reverse()) {
    const document = await readOptional(join(directory, "registries.conf"));
    if (document !== undefined) return document;
  }
  return undefined;
}

/** From the weakest to the strongest. */
function directories(paths: HostPaths): string[] {
  return [paths.shareDirectory, paths.etcDirectory, userConfigurationDirectory(paths)].map((directory) =>
    join(directory, "containers"),
  );
}

async function dropIns(paths: HostPaths): Promise<string[]> {
  const pathOfName = new Map<string, string>();
  for (const directory of directories(paths)) {
    const folder = join(directory, "registries.conf.d");
    for (const name of await namesIn(folder)) if (name.endsWith(".conf")) pathOfName.set(name, join(folder, name));
  }
  return [...pathOfName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error, folder)) return [];
    throw asSealrootError(error, "Cannot read registries configuration", { path: folder });
  }
}

async function readOptional(path: string): Promise<RegistriesDocument | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isAbsent(error, path)) return undefined;
    throw asSealrootError(error, "Cannot read registries configuration", { path });
  }
  return parseRegistries(text, path);
}

/** Two rules for one place that differ in what is dangerous: whichever is meant, the other is a mistake. */
function refuseContradictions(rules: readonly RegistryRule[]): void {
  const ruleOfLocation = new Map<string, RegistryRule>();
  for (const rule of rules) {
    if (rule.location === undefined) continue;
    const other = ruleOfLocation.get(rule.location) ?? rule;
    ruleOfLocation.set(rule.location, other);
    for (const [word, differs] of [
      ["insecure", rule.isInsecure !== other.isInsecure],
      ["blocked", rule.isBlocked !== other.isBlocked],
    ] as const) {
      if (!differs) continue;
      const both = `"${other.prefix}" and "${rule.prefix}"`;
      const what = `Cannot use registries configuration: ${both} disagree whether ${rule.location} is ${word}`;
      throw new SealrootError("corrupt", what);
    }
  }
}
