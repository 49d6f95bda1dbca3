/** Whether two references mean the same image, however they are spelled. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { formatReference, type ImageReference } from "./reference.ts";
import { canonicalName } from "./registry-host.ts";

/** True for two names of one place: paths are compared without symbolic links, hosts as connections name them. */
export function isSameImage(one: ImageReference, other: ImageReference): boolean {
  return formatReference(canonical(one)) === formatReference(canonical(other));
}

function canonical(reference: ImageReference): ImageReference {
  switch (reference.transport) {
    case "docker": {
      const name = canonicalName(`${reference.host}/${reference.repository}`);
      const slash = name.indexOf("/");
      return { ...reference, host: name.slice(0, slash), repository: name.slice(slash + 1) };
    }
    case "containers-storage":
      return reference;
    case "oci":
    case "oci-archive":
    case "dir":
    case "docker-archive":
      return { ...reference, path: withoutLinks(reference.path) };
  }
}

/** A missing file has no links. */
function withoutLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
