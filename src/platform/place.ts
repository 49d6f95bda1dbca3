/**
 * Where something is to be written: inspected before any work, so that what is there is refused, or passes on its
 * attributes.
 */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { ByteString } from "../bytes/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { readMountTable } from "./mount-table.ts";
import { getXattr, setXattr } from "./xattr.ts";

/** A name that may be given to something new. */
export interface Place {
  /** Absolute and free of symbolic links: the target of a link is meant, not the link. */
  readonly path: string;
  /** What is there now and will be replaced; its successor gets its mode, owner, access list and label. */
  readonly existing: Stats | undefined;
}

/** Attributes that say who may do what with a file, whatever is in it (acl(5), selinux(8)). */
const ACCESS_XATTRS = ["system.posix_acl_access", "security.selinux"] as ByteString[];
const PERMISSION_BITS = 0o7777;

/**
 * Inspects `path`, which a new file is to be renamed to.
 *
 * @param action begins the message of an error, such as `Cannot install to disk.img`
 * @throws SealrootError `not-found` without directory, and for a symbolic link to nothing; `unsupported` for anything but
 *   a plain file; `conflict` for a file that is mounted there; `no-access` when the directory or the file cannot be
 *   written, or the file's owner could not be kept
 */
export function inspectFilePlace(path: string, action: string): Place {
  const place = inspectPlace(path, action);
  if (place.existing !== undefined) checkFile(place.path, place.existing, action);
  return place;
}

/**
 * Inspects `path`, which a new directory is to be renamed to, or exchanged with.
 *
 * @param action begins the message of an error
 * @throws SealrootError as {@link inspectFilePlace}, `unsupported` for anything but a directory
 */
export function inspectDirectoryPlace(path: string, action: string): Place {
  const place = inspectPlace(path, action);
  if (place.existing === undefined || place.existing.isDirectory()) return place;
  throw wrongKind(place.existing, "a directory", place.path, action);
}

function inspectPlace(path: string, action: string): Place {
  const real = realPath(resolve(path), action);
  const existing = statIfThere(real, action);
  if (existing !== undefined) checkMount(real, action);
  try {
    accessSync(dirname(real), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw asSealrootError(error, action, { path: dirname(real) });
  }
  return { path: real, existing };
}

/** The path without links. Its last part need not exist, unless a link leads to it. */
function realPath(path: string, action: string): string {
  try {
    const directory = realpathSync(dirname(path));
    if (!statSync(directory).isDirectory()) throw notFound(path, action, "its directory is not a directory");
    const inside = join(directory, basename(path));
    if (lstatSync(inside, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return inside;
    return realTarget(inside, action);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) throw notFound(path, action, "its directory does not exist");
    throw asSealrootError(error, action, { path });
  }
}

function realTarget(link: string, action: string): string {
  try {
    return realpathSync(link);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    const state = `it is a symbolic link to ${readlinkSync(link)}, which does not exist`;
    throw notFound(link, action, state, "name the file itself, or remove the link");
  }
}

function notFound(path: string, action: string, state: string, hint?: string): SealrootError {
  return new SealrootError("not-found", `${action}: ${state}`, { path, ...(hint === undefined ? {} : { hint }) });
}

function statIfThere(path: string, action: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw asSealrootError(error, action, { path });
  }
}

function wrongKind(state: Stats, wanted: string, path: string, action: string): SealrootError {
  const actual = kindOf(state);
  return new SealrootError("unsupported", `${action}: it is not ${wanted}`, { path, expected: wanted, actual });
}

function kindOf(state: Stats): string {
  if (state.isFile()) return "a file";
  if (state.isDirectory()) return "a directory";
  if (state.isFIFO()) return "a pipe";
  if (state.isSocket()) return "a socket";
  return state.isBlockDevice() ? "a block device" : "a character device";
}

/** What is mounted on a name (single files too, in containers) cannot be replaced: rename(2) says EBUSY. */
function checkMount(path: string, action: string): void {
  if (!readMountTable().some(({ mountPoint }) => mountPoint === path)) return;
  throw new SealrootError("conflict", `${action}: it is a mount point`, {
    path,
    hint: "mount the directory that it is in, and name it there",
  });
}

/** Renaming over a file needs rights only to the directory; but a file is protected on purpose. */
function checkFile(path: string, existing: Stats, action: string): void {
  if (!existing.isFile()) throw wrongKind(existing, "a plain file", path, action);
  try {
    closeSync(openSync(path, constants.O_WRONLY));
  } catch (error) {
    throw asSealrootError(error, action, { path });
  }
  const caller = process.geteuid?.();
  if (caller === 0 || existing.uid === caller) return;
  throw new SealrootError("no-access", `${action}: it belongs to another user (uid ${existing.uid})`, {
    path,
    hint: "the new file would be yours; remove the old one if that is right",
  });
}

/**
 * Gives the new file the mode, owner, access list and label of what it replaces.
 *
 * @param fd the new file or directory, open
 * @param path its temporary name
 * @throws SealrootError `no-access` when the system does not allow it
 */
export function takeOverAccess(fd: number, path: string, place: Place, action: string): void {
  const { existing } = place;
  if (existing === undefined) return;
  try {
    fchownSync(fd, existing.uid, existing.gid);
    // After the owner, whose change clears set-id bits.
    fchmodSync(fd, existing.mode & PERMISSION_BITS);
    for (const name of ACCESS_XATTRS) takeOverXattr(name, place.path, path);
  } catch (error) {
    throw asSealrootError(error, `${action}: its owner and mode cannot be kept`, { path: place.path });
  }
}

function takeOverXattr(name: ByteString, from: string, to: string): void {
  try {
    const value = getXattr(from, name);
    if (value !== undefined) setXattr(to, name, value);
  } catch (error) {
    if (!hasErrno(error, "EOPNOTSUPP", "ENOTSUP")) throw error;
  }
}
