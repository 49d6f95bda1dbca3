/** Looks into an existing disk or disk file. */
import { open } from "node:fs/promises";
import { asSealrootError } from "../errors/index.ts";
import { type PartitionTable, type ReadAt, readPartitionTable } from "./gpt.ts";

/**
 * Opens a disk for reading while `use` runs.
 *
 * @param path a plain file or a block device, which the caller may read
 * @throws SealrootError when it cannot be opened; what `use` throws
 */
export async function withDisk<T>(path: string, use: (readAt: ReadAt) => Promise<T>): Promise<T> {
  const handle = await open(path, "r").catch((error: unknown) => {
    throw asSealrootError(error, `Cannot open the disk ${path}`, { path });
  });
  try {
    return await use(async (offsetBytes, lengthBytes) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(lengthBytes), 0, lengthBytes, offsetBytes);
      return buffer.subarray(0, bytesRead);
    });
  } finally {
    await handle.close();
  }
}

/**
 * The partition table of a disk.
 * @throws SealrootError as {@link readPartitionTable} and {@link withDisk}
 */
export async function readDiskPartitions(path: string): Promise<PartitionTable> {
  return await withDisk(path, readPartitionTable);
}
