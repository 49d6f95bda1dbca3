/** Files that nobody can delete, for a while. */
import { execFileSync } from "node:child_process";
import { chmodSync, lstatSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Root is stopped by the immutable flag, others by the directory: then nothing in it can be deleted. A link cannot have
 * the flag, so its directory gets it.
 */
export function undeletable(path: string): Disposable {
  const directory = dirname(path);
  if (process.getuid?.() === 0) {
    const flagged = lstatSync(path).isSymbolicLink() ? directory : path;
    execFileSync("chattr", ["+i", flagged]);
    return { [Symbol.dispose]: () => execFileSync("chattr", ["-i", flagged]) };
  }
  chmodSync(directory, 0o555);
  return { [Symbol.dispose]: () => chmodSync(directory, 0o755) };
}
