/** What a scope of a policy means: two spellings of the same thing are one scope. */
import { realpathSync } from "node:fs";
import { canonicalName } from "../oci/index.ts";

/** Transports whose scopes are paths (containers-policy.json(5)). */
export const PATH_TRANSPORTS: readonly string[] = ["dir", "oci", "oci-archive", "sif"];

/**
 * The scope as {@link scopeGroups} derives it from what was opened: paths without symbolic links, hosts as connections
 * name them. Otherwise a rule with another spelling would silently not apply.
 */
export function canonicalScope(transport: string, scope: string): string {
  if (transport === "docker") return canonicalName(scope);
  if (transport === "containers-storage") {
    const [, driver = "", root = "", name = ""] = /^\[((?:[^@\]]*@)?)([^\]]*)\](.*)$/s.exec(scope) ?? [];
    return `[${driver}${withoutLinks(root)}]${canonicalName(name)}`;
  }
  return PATH_TRANSPORTS.includes(transport) ? withoutLinks(scope) : scope;
}

/** The path itself if there is nothing: no image is there. */
function withoutLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
