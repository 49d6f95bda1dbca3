/** Hosts of registries: the same host, however it is written. */

/** A host name or address with an optional port; IPv6 addresses are in brackets. */
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;

/** The names of Docker Hub; the first is the canonical one (spec/chunked-and-policy.md 4.1). */
const DOCKER_HUB = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/**
 * The host as a connection to it would name it: in lower case, without HTTPS's default port, addresses in their usual
 * form (URL Standard, "host parsing"); Docker Hub by one name. Rules about a host must match all its spellings.
 *
 * @param host with a port where there is one
 * @returns undefined if no connection is possible, such as to `256.1.1.1` and `example.com:99999`
 */
export function canonicalHost(host: string): string | undefined {
  if (!HOST.test(host)) return undefined;
  const url = URL.parse(`https://${host}`);
  if (url === null) return undefined;
  // Without its port, a name of one part would no longer look like a host.
  const canonical = isHost(url.host) ? url.host : `${url.host}:443`;
  return DOCKER_HUB.includes(canonical) ? "docker.io" : canonical;
}

/** `HOST[/REPOSITORY[:TAG][@DIGEST]]`, or the beginning of it, with its host in canonical form; `*.DOMAIN` in lower case. */
export function canonicalName(name: string): string {
  const slash = name.indexOf("/");
  const host = slash === -1 ? name : name.slice(0, slash);
  const canonical = host.startsWith("*.") ? host.toLowerCase() : (canonicalHost(host) ?? host);
  return canonical + name.slice(host.length);
}

/** Whether this is a host rather than the first part of a short name, as docker decides it. */
export function isHost(first: string): boolean {
  return /[.:]/.test(first) || first === "localhost";
}
