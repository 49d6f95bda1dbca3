/** Where the path of a layout ends and the name of an image in it begins, when both may have colons. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { PathReference } from "../reference.ts";

/** True for a directory with a layout. */
export function isLayout(path: string): Promise<boolean> {
  return isFile(join(path, "oci-layout"));
}

/** True for what may be an archive. */
export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (state) => state.isFile(),
    () => false,
  );
}

/**
 * The reference as it is meant by whoever reads: the longest path of those it can be split into under which there is
 * something. Without any it stays as it was split, at the first colon, as podman and skopeo do it always and as
 * we write.
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
