/** Making what was written survive a power cut. */
import { closeSync, constants, fsyncSync, openSync } from "node:fs";
import { callLibc, type FilePath } from "./libc.ts";

/** Writes everything of the file system that `fd` is on (syncfs(2)). */
export function syncFileSystem(fd: number): void {
  callLibc("syncfs", undefined, fd);
}

/** Makes the directory's entries durable: needed after a rename or link into it. */
export function syncDirectory(path: FilePath): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
