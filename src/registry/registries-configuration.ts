/** The registries configuration of a machine: main file and drop-ins, merged (spec/chunked-and-policy.md 3.5). */
import { SealrootError } from "../errors/index.ts";
import type { HostPaths } from "../oci/index.ts";
import { readConfigurationFiles } from "../oci/index.ts";
import { DEFAULT_HELPERS } from "./credentials.ts";
import { parseRegistries, type RegistryRule } from "./registries-document.ts";

export interface RegistriesConfiguration {
  /** Every prefix once. */
  readonly rules: readonly RegistryRule[];
  readonly credentialHelpers: readonly string[];
}

/**
 * Reads and merges what the machine and the user have (see readConfigurationFiles). A later rule replaces the one with
 * the same prefix as a whole.
 *
 * @param mainFile read instead of the usual ones; must exist
 * @throws SealrootError as parseRegistries; `not-found` for `mainFile`; `corrupt` when rules contradict each other
 */
export async function readRegistriesConfiguration(
  paths: HostPaths,
  mainFile?: string,
): Promise<RegistriesConfiguration> {
  const rules = new Map<string, RegistryRule>();
  let credentialHelpers = DEFAULT_HELPERS;
  for (const { path, text } of await readConfigurationFiles(paths, "registries", mainFile)) {
    const document = parseRegistries(text, path);
    credentialHelpers = document.credentialHelpers ?? credentialHelpers;
    for (const rule of document.rules) rules.set(rule.prefix, rule);
  }
  const merged = [...rules.values()];
  refuseContradictions(merged);
  return { rules: merged, credentialHelpers };
}

/** Two rules for one place that differ in a dangerous setting: one of them is a mistake. */
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
