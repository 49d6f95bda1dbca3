/** Copies a file of the building host into the blocks it was given. */

import { closeSync, openSync } from "node:fs";
import { asSealrootError, corrupt } from "../../errors/index.ts";
import { BLOCK_BYTES, type Extent } from "../../ext4/index.ts";
import { readUpTo } from "../../platform/index.ts";
import type { DiskWriter } from "./disk-writer.ts";
import type { FilePart } from "./plan.ts";

/**
 * @param parts the stretches of the source to read; the last block of each is padded with zeros
 * @param extents where the parts go, in their order
 * @throws SealrootError `corrupt` when the source is shorter than its parts; as for any file that cannot be read
 */
export function copyFile(
  source: string,
  parts: readonly FilePart[],
  extents: readonly Extent[],
  writer: DiskWriter,
): void {
  if (parts.length === 0) return;
  let file: number;
  try {
    file = openSync(source, "r");
  } catch (error) {
    throw asSealrootError(error, "Cannot fill the root file system", { path: source });
  }
  try {
    for (const extent of extents) copyExtent(file, source, endOf(extent, parts), extent, writer);
  } finally {
    closeSync(file);
  }
}

/** The end of the part that an extent belongs to. */
function endOf(extent: Extent, parts: readonly FilePart[]): number {
  const offset = extent.fileBlock * BLOCK_BYTES;
  const part = parts.findLast((candidate) => candidate.offset <= offset);
  return part === undefined ? 0 : part.offset + part.sizeBytes;
}

function copyExtent(file: number, source: string, endBytes: number, extent: Extent, writer: DiskWriter): void {
  for (let done = 0; done < extent.count; ) {
    const room = writer.room(extent.start + done, extent.count - done);
    const offset = (extent.fileBlock + done) * BLOCK_BYTES;
    const wanted = Math.min(room.length, endBytes - offset);
    readFully(file, source, room.subarray(0, wanted), offset);
    room.fill(0, wanted);
    done += room.length / BLOCK_BYTES;
  }
}

function readFully(file: number, source: string, bytes: Uint8Array, offset: number): void {
  if (readUpTo(file, bytes, offset) === bytes.length) return;
  throw corrupt("Cannot fill the root file system: a source has become shorter", { path: source });
}
