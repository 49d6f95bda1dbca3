/** libc through koffi, loaded at the first call, with failures as errors that have a `code` like Node's own. */
import { createRequire } from "node:module";
import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import type koffi from "koffi";

/** The functions, as C declares them (man pages of section 2). `void *` also takes null and bytes. */
const PROTOTYPES = {
  fcntl: "int fcntl(int, int, ...)",
  fgetxattr: "long fgetxattr(int, void *, void *, size_t)",
  flistxattr: "long flistxattr(int, void *, size_t)",
  flock: "int flock(int, int)",
  fsconfig: "int fsconfig(int, unsigned int, void *, void *, int)",
  fsmount: "int fsmount(int, unsigned int, unsigned int)",
  fsopen: "int fsopen(void *, unsigned int)",
  ioctl: "int ioctl(int, unsigned long, void *)",
  lgetxattr: "long lgetxattr(void *, void *, void *, size_t)",
  linkat: "int linkat(int, void *, int, void *, int)",
  llistxattr: "long llistxattr(void *, void *, size_t)",
  lremovexattr: "int lremovexattr(void *, void *)",
  lseek: "long lseek(int, long, int)",
  lsetxattr: "int lsetxattr(void *, void *, void *, size_t, int)",
  mknod: "int mknod(void *, unsigned int, unsigned long)",
  mount_setattr: "int mount_setattr(int, void *, unsigned int, void *, size_t)",
  move_mount: "int move_mount(int, void *, int, void *, unsigned int)",
  open_tree: "int open_tree(int, void *, unsigned int)",
  renameat2: "int renameat2(int, void *, int, void *, unsigned int)",
  sync_file_range: "int sync_file_range(int, long, long, unsigned int)",
  syncfs: "int syncfs(int)",
  syscall: "long syscall(long, ...)",
  umount2: "int umount2(void *, int)",
  utimensat: "int utimensat(int, void *, void *, int)",
} as const;

export type LibcFunction = keyof typeof PROTOTYPES;

/** AT_FDCWD of linux/fcntl.h: relative paths start at the working directory. */
export const AT_FDCWD = -100;

/** A path as Node accepts it: text, or the bytes themselves. */
export type FilePath = string | Buffer;

interface Libc {
  readonly koffi: typeof koffi;
  /** This thread's errno. */
  readonly errno: () => number;
  readonly functions: Map<LibcFunction, (...args: readonly unknown[]) => unknown>;
}

let loaded: Libc | undefined;

function libc(): Libc {
  if (loaded === undefined) {
    const module = createRequire(import.meta.url)("koffi") as typeof koffi;
    loaded = { koffi: module, errno: module.errno, functions: new Map() };
  }
  return loaded;
}

function nativeFunction(name: LibcFunction): (...args: readonly unknown[]) => unknown {
  const { koffi, functions } = libc();
  let found = functions.get(name);
  if (found === undefined) {
    found = koffi.load(null).func(PROTOTYPES[name]);
    functions.set(name, found);
  }
  return found;
}

/**
 * Calls a libc function whose negative result means failure.
 *
 * @param path what the error names
 * @returns the result, zero or positive
 * @throws Error with `code` ("EEXIST"), `errno`, `syscall` and `path`, as Node's system errors
 */
export function callLibc(name: LibcFunction, path: FilePath | undefined, ...args: readonly unknown[]): number {
  const result = tryLibc(name, ...args);
  if (result < 0) throw systemError(name, -result, path);
  return result;
}

/**
 * As {@link callLibc} without the error, whose stack trace costs more than the call: for failures that are an answer.
 *
 * @returns the result, zero or positive, or the negated errno
 */
export function tryLibc(name: LibcFunction, ...args: readonly unknown[]): number {
  const call = nativeFunction(name);
  const { errno } = libc();
  const result = call(...args);
  // Nothing of ours may run in between: where a function begins or a loop turns, V8 may compile or collect garbage, and the system
  // calls that it makes then set errno too (seen: EAGAIN in place of ENOTTY).
  return (result as number) < 0 ? -errno() : Number(result);
}

/** Numbers that libuv's table lacks (asm-generic/errno.h). */
const FURTHER_NAMES: ReadonlyMap<number, string> = new Map([
  [15, "ENOTBLK"],
  [129, "EKEYREJECTED"],
]);

/** The error of a failed call, as Node's system errors: `code`, `errno`, `syscall` and `path`. */
export function systemError(syscall: string, errno: number, path: FilePath | undefined): Error {
  const code = FURTHER_NAMES.get(errno) ?? getSystemErrorName(-errno);
  const shown = path === undefined ? undefined : path.toString();
  const error = new Error(`${code}: ${syscall} failed${shown === undefined ? "" : ` '${shown}'`}`);
  return Object.assign(error, { code, errno: -errno, syscall, ...(shown === undefined ? {} : { path: shown }) });
}

/** The address of the bytes, for structures that hold pointers. Valid while `bytes` is reachable. */
export function addressOf(bytes: Uint8Array): bigint {
  return libc().koffi.address(bytes);
}

/** The path with its final NUL. @throws Error with code EINVAL for a NUL inside, where the kernel would cut it */
export function cString(path: FilePath): Buffer {
  const bytes = typeof path === "string" ? Buffer.from(path, "utf8") : path;
  if (bytes.includes(0)) throw systemError("path", constants.errno.EINVAL, bytes);
  const terminated = Buffer.alloc(bytes.length + 1);
  terminated.set(bytes);
  return terminated;
}
