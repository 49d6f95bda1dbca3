/** Opening the repository's files for reading, whatever has been put in their place. */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { corrupt, hasErrno } from "../errors/index.ts";

/**
 * Opens a regular file. It does not follow a link or wait for a pipe: open(2) of a pipe without a writer would never
 * return.
 *
 * @throws SealrootError `corrupt` for anything but a regular file; Node's error when it cannot be opened
 */
export function openRegularFile(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, "ELOOP", "ENXIO")) throw notRegular(path);
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw notRegular(path);
}

function notRegular(path: string): Error {
  return corrupt(`Cannot read ${path}: it is not a regular file`, { path });
}
