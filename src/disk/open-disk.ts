/** Looks into a disk or disk file that exists. */
import { open } from "node:fs/promises";
import { asSealrootError } from "../errors/index.ts";
import { type PartitionTable, readPartitionTable } from "./gpt.ts";

/**
 * The partition table of a disk.
 * @param path a plain file or a block device, which the caller may read
 * @throws SealrootError as {@link readPartitionTable}, and when the file cannot be opened
 */
export async function readDiskPartitions(path: string): Promise<PartitionTable> {
  const handle = await open(path, "r").catch((error: unknown) => {
    throw asSealrootError(error, `Cannot open the disk ${path}`, { path });
  });
  try {
    return await readPartitionTable(async (offsetBytes, lengthBytes) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(lengthBytes), 0, lengthBytes, offsetBytes);
      return buffer.subarray(0, bytesRead);
    });
  } finally {
    await handle.close();
  }
}
