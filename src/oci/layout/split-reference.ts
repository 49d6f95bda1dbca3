/** Where the path of a layout ends and the name of an image in it begins, when both may have colons. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { PathReference } from "../reference.ts";

/** True for a directory with a layout. */
export function isLayout(path: string): Promise<boolean> {
  return isFile(join(path, "oci-layout"));
}

/** True for a possible archive. */
export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (state) => state.isFile(),
    () => false,
  );
}

/**
 * The reference as meant for reading: of the paths it can be split into, the longest one where there is something.
 * Without any, it stays split at the first colon, as podman and skopeo always do and as we write.
 */
export async function splitWhereFound<R extends PathReference>(
  reference: R,
  isThere: (path: string) => Promise<boolean>,
): Promise<R> {
  const { path, tag } = reference;
  const text = tag === undefined ? path : `${path}:${tag}`;
  for (let end = text.length; end > 0; end = text.lastIndexOf(":", end - 1)) {
    if (await isThere(text.slice(0, end)))
      return { ...reference, path: text.slice(0, end), tag: text.slice(end + 1) || undefined };
  }
  return reference;
}
