/** Reading files of a known kind but unknown length. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { SealrootError } from "../errors/index.ts";

/**
 * Reads a file of at most `maxBytes`. It does not wait for a pipe, and a file that grows meanwhile is read up to its
 * old length.
 *
 * @throws SealrootError `unsupported` for a longer one and anything but a regular file; Node's errors
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stat = await file.stat();
  const refuse = (reason: string) => new SealrootError("unsupported", `Cannot read ${path}: ${reason}`, { path });
  if (!stat.isFile()) throw refuse("it is not a regular file");
  if (stat.size > maxBytes) throw refuse(`it exceeds ${maxBytes} bytes`);
  const bytes = Buffer.alloc(stat.size);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}
