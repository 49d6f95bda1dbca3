/** Writing a file so that its name holds the old content or the new, never a part of it. */
import { randomBytes } from "node:crypto";
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { onProcessExit } from "./exit-hooks.ts";
import { renameNoReplace } from "./rename.ts";
import { syncDirectory } from "./sync.ts";

export interface AtomicWriteOptions {
  /** Exact permission bits, whatever the umask; 0o644 when absent. */
  readonly mode?: number;
  /** False: an existing file stays and EEXIST is thrown. True when absent. */
  readonly replace?: boolean;
}

/**
 * Writes `content` under a temporary name beside `path`, makes it durable, renames it, makes the name durable. On any
 * failure, and when the process is ended by a signal, the temporary file is removed.
 */
export function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  options: AtomicWriteOptions = {},
): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  const forget = onProcessExit(() => rmSync(temporary, { force: true }));
  try {
    const fd = openSync(temporary, "wx", 0o600);
    try {
      writeFileSync(fd, content);
      fchmodSync(fd, options.mode ?? 0o644);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (options.replace ?? true) renameSync(temporary, path);
    else renameNoReplace(temporary, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    forget();
  }
}
