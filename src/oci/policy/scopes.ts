/** Which scope of a policy an image falls under (spec/chunked-and-policy.md 3.2). */
import { realpathSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { ImageReference, StorageReference } from "../reference.ts";
import { formatImageName, type ImageName, nameOfReference, parseImageName } from "./image-name.ts";
import type { Policy, RequirementList } from "./policy-file.ts";

/** The requirements that hold for an image, and where they stand. */
export interface ApplicableRequirements {
  readonly requirements: RequirementList;
  /** Such as `docker "quay.io/org"`, or `the default`. */
  readonly scope: string;
}

/**
 * The one list that holds for an image: that of the most specific scope. Lists are not merged.
 * @param reference as the user names the image, before mirrors and aliases
 */
export function requirementsFor(policy: Policy, reference: ImageReference): ApplicableRequirements {
  const scopes = policy.transports.get(reference.transport);
  if (scopes !== undefined) {
    for (const scope of [...scopesOf(reference), ""]) {
      const requirements = scopes.get(scope);
      if (requirements !== undefined) return { requirements, scope: `${reference.transport} ${JSON.stringify(scope)}` };
    }
  }
  return { requirements: policy.default, scope: "the default" };
}

/** The scopes an image can fall under, the most specific first, without the empty one, which is always last. */
export function scopesOf(reference: ImageReference): string[] {
  switch (reference.transport) {
    case "docker":
      return dockerScopes(nameOfReference(reference));
    case "oci":
    case "oci-archive":
    case "dir":
      return pathScopes(reference.path);
    case "containers-storage":
      return storageScopes(reference);
    default:
      // An archive of docker's has only the empty scope (containers-policy.json(5)).
      return [];
  }
}

/** The full name, its repository and every parent, then wildcards of the host. */
function dockerScopes(name: ImageName): string[] {
  const { repository } = name;
  const scopes = [formatImageName(name)];
  for (let scope = repository; scope !== ""; scope = scope.slice(0, Math.max(scope.lastIndexOf("/"), 0))) {
    scopes.push(scope);
  }
  return [...scopes, ...wildcardScopes(repository)];
}

/** `*.sub.example.com`, `*.example.com`, `*.com` of a host, whose port does not count. */
export function wildcardScopes(repository: string): string[] {
  const [hostAndPort = ""] = repository.split("/");
  const labels = hostAndPort.replace(/:[0-9]+$/, "").split(".");
  return labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join(".")}`);
}

function pathScopes(path: string): string[] {
  const scopes: string[] = [];
  for (let scope = resolved(path); scope !== "/"; scope = dirname(scope)) scopes.push(scope);
  return scopes;
}

/** Absolute and without symbolic links. What is not there cannot be pulled; its policy does not matter. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return "/";
  }
}

/** Podman's store where the reference names none (containers-storage.conf(5), "graphroot"). */
function defaultStore(): string {
  const isRoot = process.getuid?.() === 0;
  return `overlay@${isRoot ? "/var/lib" : join(homedir(), ".local/share")}/containers/storage`;
}

/** The image's name in its store and the parents of the name, then the store with and without its driver. */
function storageScopes({ store = defaultStore(), image }: StorageReference): string[] {
  const [place = store] = store.split("+");
  const prefix = `[${place}]`;
  const root = place.slice(place.indexOf("@") + 1);
  return [...storageNames(image).map((name) => prefix + name), prefix, `[${root}]`];
}

const IMAGE_ID = /^@?([0-9a-f]{64})$/;

function storageNames(image: string): string[] {
  const id = IMAGE_ID.exec(image)?.[1];
  if (id !== undefined) return [`@${id}`];
  const [named = image, ...suffix] = image.split("@");
  const name = parseImageName(named);
  if (name === undefined) return [];
  const tagged = formatImageName({ ...name, tag: name.tag ?? "latest" });
  const parents = dockerScopes({ ...name, tag: undefined }).filter((scope) => !scope.startsWith("*."));
  return [...new Set([...(suffix.length > 0 ? [`${tagged}@${suffix.join("@")}`] : []), tagged, ...parents])];
}
