/** From a reference to the places where it may be: prefix, rewrite, mirrors (spec/chunked-and-policy.md 3.5). */
import { SealrootError } from "../errors/index.ts";
import { canonicalName, expandRepository, formatReference, type RegistryReference } from "../oci/index.ts";
import type { Endpoint } from "./endpoint.ts";
import type { RegistryRule } from "./registries-document.ts";

/**
 * Where to read an image, in order: the mirrors that may serve the reference, then the place itself.
 * @throws SealrootError `no-access` when the configuration blocks it
 */
export function endpointsForReading(reference: RegistryReference, rules: readonly RegistryRule[]): Endpoint[] {
  const rule = ruleFor(reference, rules);
  if (rule === undefined) return [ownEndpoint(reference, false)];
  const byDigest = reference.digest !== undefined;
  const mirrors = rule.mirrors.filter(
    ({ pulls }) => pulls === "all" || pulls === (byDigest ? "digest-only" : "tag-only"),
  );
  return [...mirrors, rule].map(({ location, isInsecure }) => moved(reference, rule.prefix, location, isInsecure));
}

/**
 * Where to write an image: mirrors and other locations are only for reading.
 * @throws SealrootError `no-access` when the configuration blocks it
 */
export function endpointForWriting(reference: RegistryReference, rules: readonly RegistryRule[]): Endpoint {
  return ownEndpoint(reference, ruleFor(reference, rules)?.isInsecure ?? false);
}

function ruleFor(reference: RegistryReference, rules: readonly RegistryRule[]): RegistryRule | undefined {
  const rule = longestMatch(reference, rules);
  const blocked = [rule, longestMatch(canonicalReference(reference), rules.map(canonicalRule))];
  const blocking = blocked.find((candidate) => candidate?.isBlocked === true);
  if (blocking === undefined) return rule;
  const what = `Cannot open image ${formatReference(reference)}: registries.conf blocks "${blocking.prefix}"`;
  throw new SealrootError("no-access", what, { path: blocking.prefix });
}

/** The rule with the longest prefix of the name; of two equally long ones the first in byte order. */
function longestMatch(reference: RegistryReference, rules: readonly RegistryRule[]): RegistryRule | undefined {
  const matching = rules.filter(({ prefix, location }) => restAfter(reference, prefix, location) !== undefined);
  return matching.sort((a, b) => b.prefix.length - a.prefix.length || (a.prefix < b.prefix ? -1 : 1))[0];
}

/** What is blocked stays blocked in capital letters, or with the default port. */
function canonicalReference(reference: RegistryReference): RegistryReference {
  const name = expandRepository(canonicalName(`${reference.host}/${reference.repository}`));
  const slash = name.indexOf("/");
  return { ...reference, host: name.slice(0, slash), repository: name.slice(slash + 1) };
}

function canonicalRule(rule: RegistryRule): RegistryRule {
  return { ...rule, prefix: canonicalName(rule.prefix) };
}

/**
 * What follows the prefix in `HOST/REPOSITORY`; undefined when the name does not begin with it. A host matches as a
 * whole, with its port, unlike in the reference implementation, where a host that matches without its port leads
 * nowhere.
 */
function restAfter(reference: RegistryReference, prefix: string, location: string | undefined): string | undefined {
  const { host, repository } = reference;
  if (prefix.startsWith("*.")) {
    const port = /:\d+$/.exec(host)?.[0] ?? "";
    if (!host.slice(0, host.length - port.length).endsWith(prefix.slice(1))) return undefined;
    return port === "" || location === undefined ? `${port}/${repository}` : undefined;
  }
  const name = `${host}/${repository}`;
  const isMatch = name === prefix || name.startsWith(`${prefix}/`);
  return isMatch ? name.slice(prefix.length) : undefined;
}

function moved(
  reference: RegistryReference,
  prefix: string,
  location: string | undefined,
  isInsecure: boolean,
): Endpoint {
  if (location === undefined) return ownEndpoint(reference, isInsecure);
  const name = `${location}${restAfter(reference, prefix, location) ?? ""}`;
  const slash = name.indexOf("/");
  if (slash > 0 && slash < name.length - 1 && URL.canParse(`https://${name}`)) {
    return { host: name.slice(0, slash), repository: name.slice(slash + 1), isInsecure };
  }
  const what = `Cannot open image ${formatReference(reference)}: registries.conf turns it into "${name}"`;
  throw new SealrootError("corrupt", what, { path: prefix, hint: "a location is HOST, or HOST/PATH" });
}

function ownEndpoint({ host, repository }: RegistryReference, isInsecure: boolean): Endpoint {
  return { host, repository, isInsecure };
}
