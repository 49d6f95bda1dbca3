/** Directories that are gone when their work is done, however it ends. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasErrno } from "../errors/index.ts";
import { onProcessExit } from "./exit-hooks.ts";

/** A directory of mode 0700 for one piece of work; `using directory = temporaryDirectory()` removes it at the end of scope. */
export interface TemporaryDirectory extends Disposable {
  readonly path: string;
  /** Removes it with everything in it; may be called again. */
  remove(): void;
}

/**
 * Makes a new temporary directory. It is removed when the process ends, by a signal too.
 *
 * @param options.parent an existing directory; the system's when absent
 * @param options.prefix beginning of the name
 */
export function temporaryDirectory(
  options: { readonly parent?: string; readonly prefix?: string } = {},
): TemporaryDirectory {
  const path = mkdtempSync(join(options.parent ?? tmpdir(), options.prefix ?? "sealroot-"));
  const remove = () => {
    rmSync(path, { recursive: true, force: true });
    forget();
  };
  const forget = onProcessExit(() => rmSync(path, { recursive: true, force: true }));
  return { path, remove, [Symbol.dispose]: remove };
}

/**
 * Makes a directory with exactly these permission bits, whatever the umask. An existing directory is left as it is.
 * @returns true when it was made
 */
export function makeDirectory(path: string, mode: number): boolean {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (hasErrno(error, "EEXIST")) return false;
    throw error;
  }
  chmodSync(path, mode);
  return true;
}
