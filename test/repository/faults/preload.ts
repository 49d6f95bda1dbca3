/**
 * Fault injection, loaded with `node --import` before a program: counts every system call with which it changes the
 * file system, in all its threads, and kills the process at one of them. The program itself knows nothing of it.
 *
 * SEALROOT_KILL_AT=N: SIGKILL before call N. SEALROOT_TRACE=FILE: one line a call. SEALROOT_NO_TMPFILE=1: a file system
 * without unnamed files.
 */
import fs from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";
import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";

const killAt = Number(process.env.SEALROOT_KILL_AT ?? 0);
const traceFile = process.env.SEALROOT_TRACE;
const withoutUnnamedFiles = process.env.SEALROOT_NO_TMPFILE !== undefined;

/** asm-generic/fcntl.h */
const O_TMPFILE = 0o20000000;
/** FS_IOC_ENABLE_VERITY and FICLONE; the other requests of the program only ask. */
const CHANGING_IOCTLS = [0x40806685, 0x40049409];
const CHANGING_FUNCTIONS = ["linkat", "renameat2", "syncfs", "lsetxattr", "lremovexattr", "ioctl"];

if (isMainThread) setEnvironmentData("fault counter", new SharedArrayBuffer(4));
const counter = new Int32Array(getEnvironmentData("fault counter") as SharedArrayBuffer);
const original = { ...fs };

/** Counts one call. @returns true when this is the one to die at */
function isLast(call: string): boolean {
  const number = Atomics.add(counter, 0, 1) + 1;
  if (traceFile !== undefined) {
    const fd = original.openSync(traceFile, "a");
    original.writeSync(fd, `${call}\n`);
    original.closeSync(fd);
  }
  return number === killAt;
}

function count(call: string): void {
  if (isLast(call)) process.kill(process.pid, "SIGKILL");
}

type Callable = (...args: never[]) => unknown;

/** The same function, counted first. */
function counted<F extends Callable>(name: string, call: F, paths: number): F {
  const wrapped = (...args: Parameters<F>) => {
    count([name, ...args.slice(0, paths).map(String)].join(" "));
    return call(...args);
  };
  return wrapped as unknown as F;
}

function openSync(path: fs.PathLike, flags?: fs.OpenMode, mode?: fs.Mode | null): number {
  const unnamed = typeof flags === "number" && (flags & O_TMPFILE) === O_TMPFILE;
  if (unnamed && withoutUnnamedFiles) throw Object.assign(new Error("EOPNOTSUPP: injected"), { code: "EOPNOTSUPP" });
  const creates = typeof flags === "number" ? (flags & fs.constants.O_CREAT) !== 0 : /[wa]/.test(flags ?? "r");
  if (unnamed || creates) count(`open ${path}`);
  return original.openSync(path, flags ?? "r", mode);
}

/** Two ends: before anything is written, and with half of it written. */
function writeSync(fd: number, data: NodeJS.ArrayBufferView | string, ...rest: (number | null)[]): number {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  const offset = rest[0] ?? 0;
  const length = rest[1] ?? bytes.byteLength - offset;
  if (fd > 2) count(`write ${length}`);
  if (fd > 2 && length > 1 && isLast(`write half of ${length}`)) {
    original.writeSync(fd, bytes, offset, length >> 1, rest[2] ?? null);
    process.kill(process.pid, "SIGKILL");
  }
  return original.writeSync(fd, bytes, offset, length, rest[2] ?? null);
}

/** One directory after the other, as the kernel sees it. */
function mkdirSync(path: fs.PathLike, options?: fs.Mode | fs.MakeDirectoryOptions | null): string | undefined {
  const recursive = typeof options === "object" && options?.recursive === true;
  if (recursive && fs.existsSync(path)) return undefined;
  if (recursive && !fs.existsSync(dirname(String(path)))) mkdirSync(dirname(String(path)), options);
  count(`mkdir ${path}`);
  return original.mkdirSync(path, options);
}

/** One name after the other. */
function rmSync(path: fs.PathLike, options: fs.RmOptions = {}): void {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined && options.force === true) return;
  if (stat?.isDirectory() !== true) {
    fs.unlinkSync(path);
    return;
  }
  for (const name of fs.readdirSync(path)) rmSync(join(String(path), name), options);
  fs.rmdirSync(path);
}

/** A handle's own changes, before they begin. */
function countHandle(prototype: Record<string, Callable>): void {
  for (const name of ["write", "writeFile", "sync", "truncate"]) {
    const call = prototype[name];
    if (call !== undefined) {
      prototype[name] = function (this: unknown, ...args: never[]) {
        count(name);
        return call.apply(this, args);
      };
    }
  }
}

const promises = { ...fs.promises };
Object.assign(fs.promises, {
  open: async (path: fs.PathLike, flags: string | number = "r", mode?: fs.Mode) => {
    if (typeof flags === "string" ? /[wa]/.test(flags) : (flags & fs.constants.O_CREAT) !== 0) count(`open ${path}`);
    return promises.open(path, flags, mode);
  },
  mkdir: counted("mkdir", promises.mkdir, 1),
  rm: counted("rm", promises.rm, 1),
  link: counted("link", promises.link, 2),
  rename: counted("rename", promises.rename, 2),
  unlink: counted("unlink", promises.unlink, 1),
  writeFile: counted("writeFile", promises.writeFile, 1),
  copyFile: counted("copyFile", promises.copyFile, 2),
});
const someHandle = await promises.open("/dev/null");
countHandle(Object.getPrototypeOf(someHandle));
await someHandle.close();

Object.assign(fs, {
  openSync,
  writeSync,
  mkdirSync,
  rmSync,
  symlinkSync: counted("symlink", original.symlinkSync, 2),
  linkSync: counted("link", original.linkSync, 2),
  renameSync: counted("rename", original.renameSync, 2),
  unlinkSync: counted("unlink", original.unlinkSync, 1),
  rmdirSync: counted("rmdir", original.rmdirSync, 1),
  chmodSync: counted("chmod", original.chmodSync, 1),
  fchmodSync: counted("fchmod", original.fchmodSync, 0),
  fsyncSync: counted("fsync", original.fsyncSync, 0),
  ftruncateSync: counted("ftruncate", original.ftruncateSync, 0),
});
syncBuiltinESMExports();

interface Library {
  func(prototype: string): (...args: unknown[]) => unknown;
}

/** The program's own system calls all come through koffi. */
const koffi = createRequire(import.meta.url)("koffi") as { load(path: string | null): Library };
const load = koffi.load;
koffi.load = (path) => {
  const library = load(path);
  return { func: (prototype) => countedNative(prototype, library.func(prototype)) };
};

function countedNative(prototype: string, call: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  const name = /(\w+)\(/.exec(prototype)?.[1] ?? "";
  if (!CHANGING_FUNCTIONS.includes(name)) return call;
  return (...args) => {
    const paths = args.filter((value) => Buffer.isBuffer(value)).map((value) => String(value).replace("\0", ""));
    if (name !== "ioctl") count([name, ...paths].join(" "));
    else if (CHANGING_IOCTLS.includes(Number(args[1]))) count(`ioctl ${args[1]}`);
    return call(...args);
  };
}
