/** Paths as they are opened. */
import { realpath } from "node:fs/promises";

/**
 * The absolute path without symbolic links. The same path is opened and given to the policy, so a link that changes in
 * the meantime affects neither. A path to nothing stays unchanged, so that opening it says why.
 */
export async function resolvedPath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
