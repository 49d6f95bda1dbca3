/** Copies of large files with holes: only what is stored is read and written. */
import { fdatasyncSync, ftruncateSync, readSync, writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { hasErrno } from "../errors/index.ts";
import { callLibc } from "./libc.ts";
import { cloneBlocks } from "./reflink.ts";

/** linux/fs.h */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Makes `targetFd`, an empty file open for writing, a copy of `sourceFd`: by sharing its blocks where the file system can
 * do that, else stretch by stretch, holes staying holes.
 *
 * @param onProgress called with the bytes of the file that are behind us
 * @throws Error of the system, such as ENOSPC
 */
export async function copySparse(
  sourceFd: number,
  targetFd: number,
  sizeBytes: number,
  onProgress: (doneBytes: number) => void = () => {},
): Promise<void> {
  if (cloneBlocks(sourceFd, targetFd)) return;
  ftruncateSync(targetFd, sizeBytes);
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  for (let position = 0; position < sizeBytes; ) {
    const start = nextData(sourceFd, position);
    if (start === undefined) break;
    const end = Math.min(sizeBytes, callLibc("lseek", undefined, sourceFd, start, SEEK_HOLE));
    for (position = start; position < end; ) {
      const count = readSync(sourceFd, buffer, 0, Math.min(PIECE_BYTES, end - position), position);
      if (count === 0) throw new Error("unreachable: the file has become shorter while it was locked");
      for (let done = 0; done < count; ) done += writeSync(targetFd, buffer, done, count - done, position + done);
      position += count;
      onProgress(position);
      // Lets a signal end the process.
      await setImmediate();
    }
  }
  fdatasyncSync(targetFd);
}

/** Where the next stretch with data begins; undefined when there is none. */
function nextData(fd: number, position: number): number | undefined {
  try {
    return callLibc("lseek", undefined, fd, position, SEEK_DATA);
  } catch (error) {
    if (hasErrno(error, "ENXIO")) return undefined;
    throw error;
  }
}
