/** Making what was written survive a power cut. */
import { closeSync, constants, fsyncSync, openSync } from "node:fs";
import { callLibc, type FilePath } from "./libc.ts";

/** Writes everything of the file system that `fd` is on (syncfs(2)). */
export function syncFileSystem(fd: number): void {
  callLibc("syncfs", undefined, fd);
}

// linux/fs.h: SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER
const WRITE_AND_WAIT = 1 | 2 | 4;

/** Hands all content of an open file to the disk, but nothing that says where it is (sync_file_range(2)); not flushed. */
export function writeOutContent(fd: number): void {
  callLibc("sync_file_range", undefined, fd, 0, 0, WRITE_AND_WAIT);
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
