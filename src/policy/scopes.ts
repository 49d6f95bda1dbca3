/** Which scope of a policy an image falls under (spec/chunked-and-policy.md 3.2). */
import { dirname } from "node:path";
import type { OpenedPlace, StoragePlace } from "../oci/index.ts";
import { formatImageName, type ImageName, parseImageName } from "../oci/index.ts";
import { canonicalScope } from "./canonical-scope.ts";
import type { Policy, RequirementList } from "./policy-file.ts";

/** Requirements that apply to an image, and where they are. */
export interface ApplicableRequirements {
  readonly requirements: RequirementList;
  /** Such as `docker "quay.io/org"`, or `the default`. */
  readonly scope: string;
}

/** Scopes of which one may be chosen. */
export interface ScopeGroup {
  /** For each name the image has: the scopes it falls under by that name, the most specific first. */
  readonly byName: readonly (readonly string[])[];
  /** The scopes of the place as a whole, for an image whose names have none. */
  readonly byPlace: readonly string[];
}

/**
 * The lists that apply to an image; all must be met. Mostly there is one, that of the most specific scope, as lists are
 * not merged. An image found by its id has all its names, and one in a store within a store has both stores: a rule
 * about any of them must not be evaded by naming the image another way.
 *
 * @param place where the image was found
 * @param digests of the image's manifest, and of the indexes through which it was found
 */
export function requirementsFor(
  policy: Policy,
  place: OpenedPlace,
  digests: readonly string[],
): readonly ApplicableRequirements[] {
  const { transport } = place;
  const scopes = policy.transports.get(transport);
  if (scopes !== undefined) {
    const byMeaning = new Map<string, ApplicableRequirements[]>();
    for (const [scope, requirements] of scopes) {
      const meaning = scope === "" ? "" : canonicalScope(transport, scope);
      const applicable = { requirements, scope: `${transport} ${JSON.stringify(scope)}` };
      byMeaning.set(meaning, [...(byMeaning.get(meaning) ?? []), applicable]);
    }
    const first = (chain: readonly string[]) =>
      byMeaning.get(chain.find((scope) => byMeaning.has(scope)) ?? "\0") ?? [];
    const found = scopeGroups(place, digests).flatMap(({ byName, byPlace }) => {
      const named = byName.flatMap(first);
      return named.length > 0 ? named : first(byPlace);
    });
    const applicable = found.length > 0 ? [...new Set(found)] : first([""]);
    if (applicable.length > 0) return applicable;
  }
  return [{ requirements: policy.default, scope: "the default" }];
}

/** The scopes an image can match, without the empty one, which is always last. */
export function scopeGroups(place: OpenedPlace, digests: readonly string[]): readonly ScopeGroup[] {
  switch (place.transport) {
    case "docker":
      return [{ byName: [registryScopes(place.name, digests)], byPlace: [] }];
    case "oci":
    case "oci-archive":
    case "dir":
      return [{ byName: [pathScopes(place.path)], byPlace: [] }];
    case "containers-storage":
      return place.roots.map((root) => storageScopes(place, root, digests));
    case "docker-archive":
      // It has only the empty scope (containers-policy.json(5)).
      return [];
  }
}

/** The image by its digests and by its name, its repository and every parent, then wildcards of the host. */
export function registryScopes(name: ImageName, digests: readonly string[]): readonly string[] {
  const { repository } = name;
  const [host = ""] = repository.split("/");
  const images = [...digests.map((digest) => `${repository}@${digest}`), formatImageName(name)];
  return [...new Set([...images, ...withParents(repository), ...wildcardScopes(host)])];
}

/** `a/b/c`, `a/b`, `a`. */
function withParents(repository: string): string[] {
  const parts = repository.split("/");
  return parts.map((_, index) => parts.slice(0, parts.length - index).join("/"));
}

/** `*.sub.example.com`, `*.example.com`, `*.com` of a host, whose port does not count. */
function wildcardScopes(host: string): string[] {
  const labels = host.replace(/:[0-9]+$/, "").split(".");
  return labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join(".")}`);
}

function pathScopes(path: string): string[] {
  const scopes: string[] = [];
  for (let scope = path; scope !== "/"; scope = dirname(scope)) scopes.push(scope);
  return scopes;
}

/** For each name the name with the id, the id, the name and its parents; the store with and without its driver. */
function storageScopes({ driver, id, names }: StoragePlace, root: string, digests: readonly string[]): ScopeGroup {
  const store = `[${driver}@${root}]`;
  const byName = names.map((text) => {
    const name = parseImageName(text);
    if (name === undefined) return [`@${id}`];
    const { repository } = name;
    const full = formatImageName(name);
    const images = digests.flatMap((digest) => [`${repository}@${digest}@${id}`, `${repository}@${digest}`]);
    return [`${full}@${id}`, `@${id}`, ...images, full, ...withParents(repository)];
  });
  return {
    byName: (byName.length > 0 ? byName : [[`@${id}`]]).map((scopes) => scopes.map((scope) => store + scope)),
    byPlace: [store, `[${root}]`],
  };
}
