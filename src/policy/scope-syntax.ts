/** Scopes that nothing can ever match: a policy that has one is refused (containers-policy.json(5)). */
import { existsSync } from "node:fs";
import { posix } from "node:path";
import { expandRepository, isDigest, nameScopeProblem } from "../oci/index.ts";
import { PATH_TRANSPORTS } from "./canonical-scope.ts";

/** Transports of podman and skopeo. Those not read here may have scopes of any form. */
export const POLICY_TRANSPORTS: readonly string[] = [
  ...["atomic", "containers-storage", "dir", "docker", "docker-archive", "docker-daemon"],
  ...["oci", "oci-archive", "ostree", "sif", "tarball"],
];

const ID = /^[0-9a-f]{64}$/;

/**
 * Why nothing can match a scope, and how to write it.
 * @param scope not the empty one, which every transport has
 * @returns undefined when something can
 */
export function scopeProblem(transport: string, scope: string): string | undefined {
  const problem = problemOf(transport, scope);
  return problem === undefined || scope === "/" ? problem : `can never match: ${problem}`;
}

function problemOf(transport: string, scope: string): string | undefined {
  if (PATH_TRANSPORTS.includes(transport)) return pathProblem(transport, scope);
  switch (transport) {
    case "docker":
      return nameScopeProblem(scope);
    case "docker-archive":
    case "tarball":
      return 'this transport has one scope only; write ""';
    case "containers-storage":
      return storageProblem(scope);
    default:
      return undefined;
  }
}

function pathProblem(transport: string, scope: string): string | undefined {
  const problem = plainPathProblem(scope);
  if (problem !== undefined || transport === "dir" || transport === "sif") return problem;
  const colon = scope.indexOf(":");
  // A directory may have a colon in its name; if it does not exist, the name of an image is more likely meant.
  if (colon === -1 || existsSync(scope)) return undefined;
  return `names of images are not part of it; write ${JSON.stringify(scope.slice(0, colon))}`;
}

function plainPathProblem(scope: string): string | undefined {
  if (scope === "/") return 'is not a scope; write ""';
  if (/^file:/i.test(scope)) return `paths are without a scheme; write ${JSON.stringify(plainPath(scope.slice(5)))}`;
  if (!scope.startsWith("/")) return "it is not an absolute path; write all of it, from / on";
  const plain = plainPath(scope);
  return plain === scope ? undefined : `paths are compared in their shortest form; write ${JSON.stringify(plain)}`;
}

function plainPath(path: string): string {
  const plain = posix.normalize(`/${path}`);
  return plain.length > 1 && plain.endsWith("/") ? plain.slice(0, -1) : plain;
}

/** `[DRIVER@ROOT]`, `[ROOT]`, or the first with a name, the beginning of one, or an id after it. */
function storageProblem(scope: string): string | undefined {
  const [, place, name = ""] = /^\[([^\]]*)\](.*)$/s.exec(scope) ?? [];
  if (place === undefined) return "it does not begin with a store; write [overlay@/PATH/TO/STORE]NAME";
  const at = place.indexOf("@");
  const [driver, root] = [place.slice(0, Math.max(at, 0)), place.slice(at + 1)];
  const written = (what: string) => `write ${JSON.stringify(what)}`;
  if (at === 0) return `the driver is missing; ${written(`[overlay@${root}]${name}`)}`;
  if (driver === "overlay2") return `the driver is called overlay; ${written(`[overlay@${root}]${name}`)}`;
  const options = /\+\/|:[a-z0-9_.]+=/.exec(root);
  if (options !== null) {
    const bare = place.slice(0, place.length - root.length + options.index);
    return `what follows the store's directory is no part of it; ${written(`[${bare}]${name}`)}`;
  }
  if (root !== "/") {
    const problem = plainPathProblem(root);
    if (problem !== undefined) return `${JSON.stringify(root)}: ${problem}`;
  }
  if (name === "") return undefined;
  if (driver === "")
    return `only a store with its driver can be followed by names; ${written(`[overlay@${root}]${name}`)}`;
  return storedNameProblem(name, (full) => written(`[${place}]${full}`));
}

/** `NAME[:TAG][@DIGEST][@ID]`, `@ID`, or the beginning of a name, which is a full one in a store. */
function storedNameProblem(text: string, written: (name: string) => string): string | undefined {
  const [named = "", ...suffixes] = text.split("@");
  const wrong = suffixes.find((suffix) => !ID.test(suffix) && !isDigest(suffix));
  if (wrong !== undefined) return `"${wrong}" is neither a whole id, of 64 hexadecimal digits, nor a digest`;
  if (named === "") return undefined;
  const [host = ""] = named.split("/");
  // What precedes a colon may be a host with its port, or a name with its tag.
  const isName = named.includes("/") || !/[.:]/.test(host);
  const full = isName && host !== "localhost" ? expandRepository(named) : named;
  if (full !== named && host !== "docker.io")
    return `names are compared in full; ${written([full, ...suffixes].join("@"))}`;
  return nameScopeProblem(named);
}
