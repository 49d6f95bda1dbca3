/**
 * Mounting by the system calls of Linux 5.2 (fsopen(2), fsconfig(2), fsmount(2), move_mount(2)).
 *
 * mount(8) takes names, resolves them and may add a loop device; here exactly what was opened and measured is mounted,
 * options need no escapes, and nobody sees the mount before it is complete.
 */
import { closeSync, readSync } from "node:fs";
import { hasErrno } from "../errors/index.ts";
import { AT_FDCWD, callLibc, cString, type FilePath } from "./libc.ts";

// linux/mount.h
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;
const MOUNT_ATTR_RDONLY = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const OPEN_TREE_CLONE = 1;
/** linux/fcntl.h; OPEN_TREE_CLOEXEC is O_CLOEXEC. */
const AT_EMPTY_PATH = 0x1000;
const O_CLOEXEC = 0o2000000;
/** struct mount_attr of linux/mount.h: attr_set, attr_clr, propagation, userns_fd, 8 bytes each. */
const MOUNT_ATTR_BYTES = 32;
/** sys/mount.h */
const MNT_DETACH = 2;

const MESSAGE_MAX_BYTES = 8192;

export interface FileSystemOptions {
  /** Keys to values; `true` for a flag. In order. */
  readonly options: readonly (readonly [key: string, value: string | true])[];
  readonly readOnly: boolean;
}

/**
 * Makes a mount that is not attached yet.
 *
 * @param type such as "erofs"
 * @returns a descriptor of its root; closing it without {@link attachMount} ends the mount
 * @throws Error with `code` as Node's system errors; the message includes what the kernel says about it
 */
export function createMount(type: string, { options, readOnly }: FileSystemOptions): number {
  const context = callLibc("fsopen", undefined, cString(type), FSOPEN_CLOEXEC);
  try {
    for (const [key, value] of options) {
      if (value === true) callLibc("fsconfig", undefined, context, FSCONFIG_SET_FLAG, cString(key), null, 0);
      else callLibc("fsconfig", undefined, context, FSCONFIG_SET_STRING, cString(key), cString(value), 0);
    }
    callLibc("fsconfig", undefined, context, FSCONFIG_CMD_CREATE, null, null, 0);
    return callLibc("fsmount", undefined, context, FSMOUNT_CLOEXEC, readOnly ? MOUNT_ATTR_RDONLY : 0);
  } catch (error) {
    throw withKernelMessages(error, context);
  } finally {
    closeSync(context);
  }
}

/**
 * A mount of its own of what is mounted at a directory, attached nowhere; what is mounted below it is not there. It
 * stays when the other goes away.
 *
 * @param path the directory where it is mounted
 * @returns a descriptor of its root; closing it ends the mount
 * @throws Error with `code` as Node's system errors, EPERM without CAP_SYS_ADMIN
 */
export function cloneMount(path: FilePath): number {
  return callLibc("open_tree", path, AT_FDCWD, cString(path), OPEN_TREE_CLONE | O_CLOEXEC);
}

/**
 * Lets this one mount be written to, as far as its file system can be.
 * @throws Error with `code` as Node's system errors
 */
export function makeMountWritable(mountFd: number): void {
  setReadOnly(mountFd, false);
}

/**
 * Lets nobody write through this one mount.
 * @throws Error with `code` as Node's system errors
 */
export function makeMountReadOnly(mountFd: number): void {
  setReadOnly(mountFd, true);
}

function setReadOnly(mountFd: number, isReadOnly: boolean): void {
  const attributes = Buffer.alloc(MOUNT_ATTR_BYTES);
  attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_RDONLY), isReadOnly ? 0 : 8);
  callLibc("mount_setattr", undefined, mountFd, cString(""), AT_EMPTY_PATH, attributes, MOUNT_ATTR_BYTES);
}

/** Attaches a mount to a directory. */
export function attachMount(mountFd: number, path: FilePath): void {
  callLibc("move_mount", path, mountFd, cString(""), AT_FDCWD, cString(path), MOVE_MOUNT_F_EMPTY_PATH);
}

/** Detaches a mount at once; it ends when nobody uses it any more. */
export function detachMount(path: FilePath): void {
  callLibc("umount2", path, cString(path), MNT_DETACH);
}

/** Every read of the context gives one message, such as "e overlay: …", until there are no more (ENODATA). */
function withKernelMessages(error: unknown, context: number): unknown {
  if (!(error instanceof Error)) return error;
  const buffer = Buffer.alloc(MESSAGE_MAX_BYTES);
  try {
    for (;;) {
      const message = buffer.toString("utf8", 0, readSync(context, buffer)).trim();
      if (message.startsWith("e ")) error.message += `: ${message.slice(2)}`;
    }
  } catch (end) {
    if (hasErrno(end, "ENODATA")) return error;
    throw end;
  }
}
