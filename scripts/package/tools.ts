/** What the package recipes share: the checkout, and running a program that must succeed. */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

export const CHECKOUT = resolve(import.meta.dirname, "../..");

/**
 * Runs a program and returns its standard output.
 * @throws Error with its output when it does not exit with 0
 */
export function runOrThrow(program: string, args: readonly string[], options: { cwd?: string } = {}): string {
  const result = spawnSync(program, args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024, ...options });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    throw new Error(
      `${program} ${args.slice(0, 3).join(" ")} failed (${result.status}):\n${result.stdout}${result.stderr}`,
    );
  }
  return result.stdout;
}

/** Gives everything below a directory the modes of a release: what its owner may execute is for all, the builder's umask aside. */
export function settleModes(directory: string): void {
  runOrThrow("chmod", ["-R", "u=rwX,go=rX", directory]);
}
