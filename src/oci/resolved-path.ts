/** Paths as they are opened. */
import { realpath } from "node:fs/promises";

/**
 * The path without symbolic links, absolute. What is opened by it is what a policy is asked about: a link that is changed in
 * the meantime changes neither. A path to nothing stays as it is, for opening it to say why.
 */
export async function resolvedPath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
