/** One file of registries configuration: TOML, version 2 (containers-registries.conf(5); spec/chunked-and-policy.md 3.5). */
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";
import { SealrootError } from "../errors/index.ts";
import { canonicalHost, isHost, nameScopeProblem, withoutEndSlashes } from "../oci/index.ts";

const location = v.pipe(
  v.string(),
  v.check((text) => !text.includes("://"), "is a web address; write HOST[/PATH] without a scheme"),
);
const pullFromMirror = v.picklist(["all", "digest-only", "tag-only"]);

const mirrorSchema = v.looseObject({
  location: v.pipe(location, v.nonEmpty("is empty")),
  insecure: v.optional(v.boolean(), false),
  "pull-from-mirror": v.optional(v.pipe(v.union([pullFromMirror, v.literal("")]))),
});

const registrySchema = v.looseObject({
  prefix: v.optional(location),
  location: v.optional(location),
  insecure: v.optional(v.boolean(), false),
  blocked: v.optional(v.boolean(), false),
  "mirror-by-digest-only": v.optional(v.boolean()),
  mirror: v.optional(v.array(mirrorSchema), []),
});

const documentSchema = v.looseObject({
  registry: v.optional(v.array(registrySchema)),
  "credential-helpers": v.optional(v.array(v.string())),
});

/** Of podman's keys those about short names have no use here: `docker://` names its registry. */
const DOCUMENT_KEYS = [
  ...Object.keys(documentSchema.entries),
  ...["unqualified-search-registries", "short-name-mode", "aliases", "additional-layer-store-auth-helper"],
];

/** A mirror, and which references may be pulled from it. */
export interface Mirror {
  readonly location: string;
  readonly isInsecure: boolean;
  readonly pulls: "all" | "digest-only" | "tag-only";
}

/** What the configuration says about the names that begin with a prefix. */
export interface RegistryRule {
  /** `HOST[:PORT][/PATH]`, or `*.DOMAIN`. */
  readonly prefix: string;
  /** Replaces the prefix; undefined: the name stays. */
  readonly location: string | undefined;
  readonly isInsecure: boolean;
  readonly isBlocked: boolean;
  readonly mirrors: readonly Mirror[];
}

export interface RegistriesDocument {
  readonly rules: readonly RegistryRule[];
  /** Undefined when the file does not say. */
  readonly credentialHelpers: readonly string[] | undefined;
}

/** Tables of version 1, long obsolete (containers-registries.conf(5), "VERSION 1"). */
const VERSION_1_TABLES = ["search", "insecure", "block"];

/**
 * Reads one file.
 * @param path names it in errors
 * @throws SealrootError `corrupt` for invalid TOML, values of the wrong kind or contradictions; `unsupported` for
 *   version 1
 */
export function parseRegistries(text: string, path: string): RegistriesDocument {
  const document = parseToml(text, path);
  refuseVersion1(document, path);
  const result = v.safeParse(documentSchema, document);
  if (!result.success) {
    const issue = result.issues[0];
    throw new SealrootError("corrupt", `Cannot read ${path}: ${v.getDotPath(issue) ?? "the file"}: ${issue.message}`, {
      path,
    });
  }
  const { registry = [], "credential-helpers": credentialHelpers } = result.output;
  refuseUnknownKeys(result.output, path);
  const rules = registry.map((entry) => ruleOf(entry, path));
  const doubled = rules.find(({ prefix }, index) => rules.findIndex((rule) => rule.prefix === prefix) < index);
  if (doubled === undefined) return { rules, credentialHelpers };
  const what = `Cannot read ${path}: there are two rules for "${doubled.prefix}", of which one would not hold`;
  throw new SealrootError("corrupt", what, { path, hint: "write one [[registry]] for each prefix" });
}

/** A misspelt key would have no effect: a place meant to be blocked would be open. */
function refuseUnknownKeys(document: v.InferOutput<typeof documentSchema>, path: string): void {
  const check = (table: object, known: readonly string[], place: string) => {
    const unknown = Object.keys(table).find((key) => !known.includes(key));
    if (unknown === undefined) return;
    throw new SealrootError("corrupt", `Cannot read ${path}: ${place}${unknown} is not known here`, {
      path,
      hint: `known are ${known.join(", ")}; containers-registries.conf(5) describes them`,
    });
  };
  check(document, DOCUMENT_KEYS, "");
  for (const [index, registry] of (document.registry ?? []).entries()) {
    check(registry, Object.keys(registrySchema.entries), `registry.${index}.`);
    for (const [number, mirror] of registry.mirror.entries()) {
      check(mirror, Object.keys(mirrorSchema.entries), `registry.${index}.mirror.${number}.`);
    }
  }
}

function parseToml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line } = error;
    const reason = error.message.split("\n")[0];
    throw new SealrootError("corrupt", `Cannot read ${path}: line ${line}: ${reason}`, { path, line }, error);
  }
}

function refuseVersion1(document: unknown, path: string): void {
  const { registries } = document as { registries?: unknown };
  if (typeof registries !== "object" || registries === null) return;
  const table = VERSION_1_TABLES.find((name) => name in registries);
  if (table === undefined) return;
  throw new SealrootError("unsupported", `Cannot read ${path}: [registries.${table}] is configuration of version 1`, {
    path,
    hint: "write [[registry]] tables; containers-registries.conf(5) describes them",
  });
}

function ruleOf(entry: v.InferOutput<typeof registrySchema>, path: string): RegistryRule {
  const wrong = (reason: string) => new SealrootError("corrupt", `Cannot read ${path}: ${reason}`, { path });
  const place = withoutEndSlashes(entry.location ?? "") || undefined;
  const prefix = withoutEndSlashes(entry.prefix ?? "") || place;
  if (prefix === undefined) throw wrong("a [[registry]] has neither prefix nor location");
  const isWildcard = prefix.startsWith("*.");
  if (place === undefined && !isWildcard) throw wrong(`registry "${prefix}": location is missing`);
  if (isWildcard && /[:/*]/.test(prefix.slice(1))) {
    throw wrong(`registry "${prefix}": a wildcard stands for the beginning of a host, without port and path`);
  }
  const problem = nameScopeProblem(prefix) ?? (hasTag(prefix) ? TAG_IN_PREFIX : undefined);
  if (problem !== undefined) throw wrong(`prefix "${prefix}" can never match: ${problem}`);
  if (place !== undefined) refuseNoHost(place, wrong);
  const digestOnly = entry["mirror-by-digest-only"];
  const mirrors = entry.mirror.map((mirror): Mirror => {
    const own = mirror["pull-from-mirror"] || undefined;
    if (own !== undefined && digestOnly === true) {
      throw wrong(`registry "${prefix}": pull-from-mirror and mirror-by-digest-only exclude each other`);
    }
    refuseNoHost(withoutEndSlashes(mirror.location), wrong);
    const pulls = own ?? (digestOnly === true ? "digest-only" : "all");
    return { location: withoutEndSlashes(mirror.location), isInsecure: mirror.insecure, pulls };
  });
  return { prefix, location: place, isInsecure: entry.insecure, isBlocked: entry.blocked, mirrors };
}

const TAG_IN_PREFIX = "names are compared without tag and digest; write the repository";

function hasTag(prefix: string): boolean {
  return prefix.includes("@") || prefix.includes(":", prefix.indexOf("/") + 1 || prefix.length);
}

/** An impossible place is better reported here than when an image is pulled from it. */
function refuseNoHost(location: string, wrong: (reason: string) => SealrootError): void {
  const [host = ""] = location.split("/");
  if (!isHost(host) || canonicalHost(host) === undefined)
    throw wrong(`location "${location}": "${host}" is not a host`);
}
