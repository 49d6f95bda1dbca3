/** Directories and files that vanish when their work is done, however it ends. */
import { accessSync, chmodSync, closeSync, constants, mkdirSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { asSealrootError, hasErrno } from "../errors/index.ts";
import { handleProcessExit, onProcessExit } from "./exit-hooks.ts";
import { collectLeftovers, holdTemporary } from "./leftovers.ts";
import { removeTree } from "./remove-tree.ts";
import { temporaryName } from "./temporary-name.ts";

/** A directory of mode 0700 for one piece of work; `using directory = temporaryDirectory()` removes it at the end of scope. */
export interface TemporaryDirectory extends Disposable {
  readonly path: string;
  /** Removes it with everything in it; may be called again, and after it got another name. */
  remove(): void;
}

/** An open file under a temporary name, for what gets its own name when it is complete. */
export interface TemporaryFile extends Disposable {
  readonly path: string;
  /** Open for reading and writing; closed by {@link close}. */
  readonly fd: number;
  /** Closes the file and removes it, unless it was renamed; may be called again. */
  close(): void;
}

export interface TemporaryOptions {
  /** An existing directory; {@link smallFileDirectory} if absent. */
  readonly parent?: string;
  /** Lower-case letters, part of the name: what it is for, for a person. */
  readonly purpose?: string;
}

export interface TemporaryFileOptions extends TemporaryOptions {
  /** Permission bits, minus the umask; 0o600 if absent. */
  readonly mode?: number;
}

/**
 * Makes a new temporary directory. It is removed when the process ends, also by a signal. What a killed process left in
 * the same place is removed as well.
 *
 * @throws Error of the system when it cannot be made
 */
export function temporaryDirectory(options: TemporaryOptions = {}): TemporaryDirectory {
  const { path, fd } = makeTemporary(options, (name) => {
    mkdirSync(name, 0o700);
    try {
      // mkdir honours a umask that removes the owner's permissions.
      chmodSync(name, 0o700);
      return openSync(name, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  });
  let open = true;
  const forget = onProcessExit(() => removeTree(path));
  const remove = () => {
    if (!open) return;
    removeTree(path);
    open = false;
    closeSync(fd);
    forget();
  };
  return { path, remove, [Symbol.dispose]: remove };
}

/**
 * Makes a new temporary file, to be renamed when it is complete; otherwise removed like {@link temporaryDirectory}. It
 * has a name from the beginning, since linkat(2) cannot replace an existing name.
 *
 * @throws Error of the system when it cannot be made
 */
export function temporaryFile(options: TemporaryFileOptions = {}): TemporaryFile {
  const { mode = 0o600 } = options;
  const { path, fd } = makeTemporary(options, (name) => openSync(name, "wx+", mode));
  let open = true;
  const forget = onProcessExit(() => rmSync(path, { force: true }));
  const close = () => {
    if (!open) return;
    open = false;
    closeSync(fd);
    rmSync(path, { force: true });
    forget();
  };
  return { path, fd, close, [Symbol.dispose]: close };
}

/** @param make undefined when a collector was faster: nobody owns it until it is locked */
function makeTemporary(
  options: TemporaryOptions,
  make: (path: string) => number | undefined,
): { path: string; fd: number } {
  const parent = resolve(options.parent ?? smallFileDirectory());
  // From here on a signal waits for the event loop, so that what is made now is not left without a hook.
  handleProcessExit();
  collectOnce(parent);
  for (;;) {
    const path = join(parent, temporaryName(options.purpose ?? "work"));
    const fd = make(path);
    if (fd === undefined) continue;
    if (holdTemporary(fd, path)) return { path, fd };
    closeSync(fd);
  }
}

/** Places that were checked; a process of many small steps need not check before each. */
const collected = new Set<string>();

function collectOnce(directory: string): void {
  if (collected.has(directory)) return;
  collected.add(directory);
  collectLeftovers(directory);
}

/** Where temporary small files are made: TMPDIR, or the system's directory, /tmp. */
function smallFileDirectory(): string {
  return usable(resolve(tmpdir()));
}

/**
 * Where temporary large files are made (file-hierarchy(7)): TMPDIR, or /var/tmp, as /tmp is often in memory.
 *
 * @throws SealrootError when TMPDIR names a directory that cannot be written to
 */
export function largeFileDirectory(): string {
  const chosen = process.env.TMPDIR ?? "";
  if (chosen !== "") return usable(resolve(chosen));
  return isWritable("/var/tmp") ? "/var/tmp" : smallFileDirectory();
}

function usable(directory: string): string {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return directory;
  } catch (error) {
    throw asSealrootError(error, `Cannot make temporary files in ${directory}`, {
      path: directory,
      hint: "set TMPDIR to a directory that can be written to",
    });
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes a directory with exactly these permission bits, whatever the umask. An existing directory is left unchanged.
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
