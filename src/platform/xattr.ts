/** Extended attributes of a path, symbolic links not followed (xattr(7)). Names and values are bytes. */
import { constants } from "node:os";
import { type ByteString, byteString } from "../bytes/index.ts";
import { callLibc, cString, type FilePath, systemError, tryLibc } from "./libc.ts";

/** XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h: no list and no value is longer. */
const LIST_MAX_BYTES = 65536;
const VALUE_MAX_BYTES = 65536;

// One scratch buffer: the calls are synchronous and results are copied out.
let scratch: Buffer | undefined;

function scratchBuffer(): Buffer {
  scratch ??= Buffer.alloc(Math.max(LIST_MAX_BYTES, VALUE_MAX_BYTES));
  return scratch;
}

/** The names of the path's attributes, in the file system's order; none if the file system has no attributes. */
export function listXattrs(path: FilePath): ByteString[] {
  return xattrNames("llistxattr", cString(path), path);
}

/** The value, or undefined if there is no such attribute. */
export function getXattr(path: FilePath, name: ByteString): Uint8Array | undefined {
  return xattrValue("lgetxattr", cString(path), path, name);
}

/** True when the open file has an attribute with that name. */
export function fileHasXattr(fd: number, name: ByteString): boolean {
  // Without room for the value, its length is returned.
  const result = tryLibc("fgetxattr", fd, cString(Buffer.from(name, "latin1")), null, 0);
  if (result >= 0) return true;
  if (result === -constants.errno.ENODATA || result === -constants.errno.EOPNOTSUPP) return false;
  throw systemError("fgetxattr", -result, undefined);
}

/** All attributes with their values. One that vanishes between listing and reading is omitted. */
export function readXattrs(path: FilePath): Map<ByteString, Uint8Array> {
  return readAll("llistxattr", "lgetxattr", cString(path), path);
}

/** As {@link readXattrs}, of an open file: in an eighth of the time, since no path is walked. */
export function readOpenXattrs(fd: number): Map<ByteString, Uint8Array> {
  return readAll("flistxattr", "fgetxattr", fd, undefined);
}

/** Sets an attribute, new or not. */
export function setXattr(path: FilePath, name: ByteString, value: Uint8Array): void {
  callLibc("lsetxattr", path, cString(path), cString(Buffer.from(name, "latin1")), value, value.length, 0);
}

/** Removes an attribute. @throws Error with code ENODATA when there is none */
export function removeXattr(path: FilePath, name: ByteString): void {
  callLibc("lremovexattr", path, cString(path), cString(Buffer.from(name, "latin1")));
}

type Target = Buffer | number;

function readAll(
  list: "llistxattr" | "flistxattr",
  get: "lgetxattr" | "fgetxattr",
  target: Target,
  path: FilePath | undefined,
): Map<ByteString, Uint8Array> {
  const xattrs = new Map<ByteString, Uint8Array>();
  for (const name of xattrNames(list, target, path)) {
    const value = xattrValue(get, target, path, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return xattrs;
}

function xattrNames(list: "llistxattr" | "flistxattr", target: Target, path: FilePath | undefined): ByteString[] {
  const buffer = scratchBuffer();
  const length = tryLibc(list, target, buffer, LIST_MAX_BYTES);
  if (length === 0 || length === -constants.errno.EOPNOTSUPP) return [];
  if (length < 0) throw systemError(list, -length, path);
  const names: ByteString[] = [];
  for (let start = 0; start < length; ) {
    const end = buffer.indexOf(0, start);
    names.push(byteString(buffer, start, end));
    start = end + 1;
  }
  return names;
}

function xattrValue(
  get: "lgetxattr" | "fgetxattr",
  target: Target,
  path: FilePath | undefined,
  name: ByteString,
): Uint8Array | undefined {
  const buffer = scratchBuffer();
  const length = tryLibc(get, target, cString(Buffer.from(name, "latin1")), buffer, VALUE_MAX_BYTES);
  if (length === -constants.errno.ENODATA) return undefined;
  if (length < 0) throw systemError(get, -length, path);
  return Uint8Array.from(buffer.subarray(0, length));
}
