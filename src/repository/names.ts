/** Names inside a repository: content ids, references; which are safe and how links spell them. */

import { SealrootError } from "../errors/index.ts";
import { isObjectId } from "../objects/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";

/** The two kinds of links to objects (spec/repository.md 1). */
export type LinkKind = "streams" | "images";

/** The repository's own settings. */
export const META_FILE = "meta.json";

const NAME_MAX_BYTES = 255;

/**
 * Checks the name of a top-level link: one path component, not `refs`, which is the directory of references.
 * @throws SealrootError `usage`
 */
export function requireEntryName(name: string): string {
  if (name.includes("/") || name === "refs") throw unsafeName(name);
  requireComponent(name, name);
  return name;
}

/**
 * Checks a reference's name: components separated by single slashes. The reference tools join any name to the path
 * (spec/repository.md 5), so `..` would write outside the repository; here it is refused.
 *
 * @throws SealrootError `usage`
 */
export function requireReferenceName(name: string): string {
  for (const component of name.split("/")) requireComponent(component, name);
  return name;
}

function requireComponent(component: string, name: string): void {
  const unsafe = component === "" || component === "." || component === ".." || component.includes("\0");
  if (unsafe || Buffer.byteLength(component) > NAME_MAX_BYTES) throw unsafeName(name);
}

function unsafeName(name: string): SealrootError {
  return new SealrootError(
    "usage",
    `Cannot use ${JSON.stringify(name)} as a name in the repository: it is not a safe path`,
    {
      hint: 'Names are path components without ".", "..", empty parts or NUL, each of up to 255 bytes',
    },
  );
}

/** The target of the link `<kind>/<entry>` to an object. */
export function objectLinkTarget(objectId: string): string {
  return `../objects/${objectId.slice(0, 2)}/${objectId.slice(2)}`;
}

/**
 * The object that the target of a top-level link names. As the reference reads it: it begins with `../`, and the end
 * is the object's path (spec/repository.md 5).
 *
 * @returns undefined if the target is not a path of an object of this algorithm
 */
export function objectIdOfLinkTarget(target: string, algorithm: VerityAlgorithm): string | undefined {
  const match = /^\.\.\/(?:.*\/)?([0-9a-fA-F]{2})\/([0-9a-fA-F]+)$/.exec(target);
  const objectId = match === null ? "" : `${match[1]}${match[2]}`.toLowerCase();
  return isObjectId(objectId, algorithm) ? objectId : undefined;
}

/** The target of `<kind>/refs/<name>`: one `../` for each directory between. */
export function referenceLinkTarget(name: string, entry: string): string {
  return `${"../".repeat(name.split("/").length)}${entry}`;
}
