/** Rules about images of registries select them by the beginning of a name: what such a beginning must look like. */
import { isDigest } from "./digest.ts";
import { canonicalHost, isHost } from "./registry-host.ts";

/** One part of a path, and a tag (OCI distribution specification, "Pulling manifests"). */
const PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const WILDCARD = /^\*(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$/;

/**
 * Why no image of a registry can ever match a scope: full names are compared, with their host. A rule that silently
 * matches nothing is worse than none.
 *
 * @param scope `HOST[:PORT]`, `HOST/PATH`, the full name of an image with tag or digest, or `*.DOMAIN`
 * @returns undefined when one can
 */
export function nameScopeProblem(scope: string): string | undefined {
  const address = /^[a-z][a-z0-9+.-]*:\/\/(.*)$/is.exec(scope)?.[1];
  if (address !== undefined) return `names are without a scheme; write ${JSON.stringify(withoutEndSlashes(address))}`;
  if (scope.startsWith("*")) return WILDCARD.test(scope) ? undefined : "a wildcard is *.DOMAIN, without port and path";
  if (scope.endsWith("/"))
    return `a slash at its end matches nothing; write ${JSON.stringify(withoutEndSlashes(scope))}`;
  const [host = "", ...path] = scope.split("/");
  if (!isHost(host)) return `names are compared in full; write ${JSON.stringify(`docker.io/${inLibrary(scope)}`)}`;
  if (canonicalHost(host) === undefined) return `"${host}" is not a host`;
  if (path.length === 0) return undefined;
  return pathProblem(host, path.join("/"));
}

function pathProblem(host: string, path: string): string | undefined {
  const [named = "", digest] = path.split("@", 2);
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  const repository = colon === -1 ? named : named.slice(0, colon);
  if (tag !== undefined && digest !== undefined) return "an image matches by its tag or its digest, not both";
  if (digest !== undefined && (!isDigest(digest) || path.split("@").length > 2))
    return "what follows @ is not a digest";
  if (tag !== undefined && !TAG.test(tag)) return `"${tag}" is not a tag`;
  if (!repository.split("/").every((part) => PART.test(part))) {
    return `"${repository}" is not the name of a repository: they are lower-case letters, digits and . _ - /`;
  }
  const isImage = tag !== undefined || digest !== undefined;
  if (!isImage || canonicalHost(host) !== "docker.io" || repository.includes("/")) return undefined;
  return `names are compared in full; write ${JSON.stringify(`docker.io/library/${path}`)}`;
}

/** What is written as `debian` is in `library/` there. */
function inLibrary(name: string): string {
  return name.includes("/") ? name : `library/${name}`;
}

/** Not by a regular expression: its time would grow with the square of the slashes. */
export function withoutEndSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === "/") end--;
  return text.slice(0, end);
}
