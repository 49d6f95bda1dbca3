/** Writing a file so that its name has the old content or the new, never a part of it. */
import { fchmodSync, fsyncSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Place, takeOverAccess } from "./place.ts";
import { renameNoReplace } from "./rename.ts";
import { syncDirectory } from "./sync.ts";
import { temporaryFile } from "./temporary.ts";

export interface AtomicWriteOptions {
  /** Exact permission bits, whatever the umask; 0o644 if absent. */
  readonly mode?: number;
  /** False: an existing file stays and EEXIST is thrown. True if absent. */
  readonly replace?: boolean;
}

/** Permission bits of a file that everybody may read. */
const PLAIN_MODE = 0o644;

/**
 * Writes `content` under a temporary name beside `path`, makes it durable, renames it, makes the name durable. On any
 * failure, and when the process is ended by a signal, the temporary file is removed.
 *
 * For names of our own; for names that the user chooses, see {@link replaceFile}.
 */
export function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  options: AtomicWriteOptions = {},
): void {
  using file = temporaryFile({ parent: dirname(path), purpose: "file" });
  writeFileSync(file.fd, content);
  fchmodSync(file.fd, options.mode ?? PLAIN_MODE);
  fsyncSync(file.fd);
  if (options.replace ?? true) renameSync(file.path, path);
  else renameNoReplace(file.path, path);
  syncDirectory(dirname(path));
}

/**
 * As {@link writeFileAtomically}, in a place that was inspected before; the replaced file passes on its mode and owner.
 *
 * @param action begins the message of an error about them
 */
export function replaceFile(place: Place, content: string | Uint8Array, action: string): void {
  const parent = dirname(place.path);
  using file = temporaryFile({ parent, purpose: "file", mode: PLAIN_MODE });
  writeFileSync(file.fd, content);
  takeOverAccess(file.fd, file.path, place, action);
  fsyncSync(file.fd);
  renameSync(file.path, place.path);
  syncDirectory(parent);
}
