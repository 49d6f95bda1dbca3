/** policy.json: which images may be pulled (spec/chunked-and-policy.md 3.1; containers-policy.json(5)). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { asSealrootError } from "../errors/index.ts";
import { type HostPaths, hostPaths, userConfigurationDirectory } from "../oci/index.ts";
import { isAbsent } from "../platform/index.ts";
import { Fields } from "./fields.ts";
import { type Requirement, readRequirement } from "./requirements.ts";
import { POLICY_TRANSPORTS, scopeProblem } from "./scope-syntax.ts";
import { type JsonValue, parseStrictJson } from "./strict-json.ts";

/** Requirements that must all be met. */
export type RequirementList = readonly Requirement[];

export interface Policy {
  /** Where it was read, for messages. */
  readonly path: string;
  readonly default: RequirementList;
  /** Transport → scope → requirements. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, RequirementList>>;
}

/**
 * Reads a policy.
 *
 * At least as strict as the reference: an unknown, duplicate or misspelt key, an empty list, a scope that nothing can
 * match, anything after the document, and the whole file is refused, because a silently ignored rule is worse than no
 * pull. Rules for podman's transports that are not read here are kept.
 *
 * @param path names the file in errors
 * @throws SealrootError `corrupt` with the place and the reason
 */
export function parsePolicy(bytes: Uint8Array, path: string): Policy {
  const what = `policy ${path}`;
  const fields = Fields.of(parseStrictJson(bytes, what), what);
  fields.only(["default", "transports"]);
  const transports = new Map<string, Map<string, RequirementList>>();
  if (fields.has("transports")) {
    const inner = fields.inner("transports");
    inner.only(POLICY_TRANSPORTS);
    for (const transport of inner.object.keys()) transports.set(transport, readScopes(inner, transport, what));
  }
  if (!fields.has("default")) throw fields.refused("default", "is missing");
  return { path, default: readList(fields, "default", what), transports };
}

/**
 * Reads the policy in a file.
 * @throws SealrootError as {@link parsePolicy}; `not-found`, `no-access`
 */
export async function readPolicy(path: string): Promise<Policy> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw asSealrootError(error, "Cannot read policy", { path });
  });
  return parsePolicy(bytes, path);
}

/** The places where a policy is looked for, in order; only the first that exists is read. */
export function policySearchPath(environment: NodeJS.ProcessEnv = process.env): readonly string[] {
  const named = environment.CONTAINERS_POLICY_JSON ?? "";
  if (named !== "") return [named];
  const paths: HostPaths = { ...hostPaths(), environment };
  return [userConfigurationDirectory(paths), paths.etcDirectory, paths.shareDirectory].map((directory) =>
    join(directory, "containers/policy.json"),
  );
}

/**
 * The first policy of a search path; undefined when none of the files exists. A file named by the environment must exist.
 * @throws SealrootError as {@link readPolicy}
 */
export async function findPolicy(paths: readonly string[] = policySearchPath()): Promise<Policy | undefined> {
  for (const path of paths) {
    try {
      return parsePolicy(await readFile(path), path);
    } catch (error) {
      if (paths.length > 1 && isAbsent(error, path)) continue;
      throw asSealrootError(error, "Cannot read policy", { path });
    }
  }
  return undefined;
}

function readScopes(transports: Fields, transport: string, what: string): Map<string, RequirementList> {
  const scopes = transports.inner(transport);
  const lists = new Map<string, RequirementList>();
  for (const scope of scopes.object.keys()) {
    const problem = scope === "" ? undefined : scopeProblem(transport, scope);
    if (problem !== undefined) throw scopes.refused(scope, problem);
    lists.set(scope, readList(scopes, scope, what));
  }
  return lists;
}

function readList(fields: Fields, key: string, what: string): RequirementList {
  const place = fields.placeOf(key);
  return fields.list(key).map((value: JsonValue, index) => readRequirement(value, what, `${place}[${index}]`));
}
