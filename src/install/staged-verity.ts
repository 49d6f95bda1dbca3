/** What a file of the staged repository will be once it is a verity file. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { asSealrootError, corrupt } from "../errors/index.ts";
import { BLOCK_SIZE_BYTES, readExt4VerityDescriptor } from "../verity/index.ts";

/**
 * The length of a staged file's data, out of the descriptor behind them.
 *
 * @param objectId the digest the file must have; undefined where its name does not say
 * @throws SealrootError `corrupt` when there is no descriptor, or one for another digest
 */
export function stagedDataBytes(path: string, objectId: string | undefined): number {
  const descriptor = readExt4VerityDescriptor(lastBlock(path));
  if (objectId !== undefined && descriptor.digest !== objectId) {
    throw corrupt(`Cannot write object ${objectId}: its verity descriptor has the digest ${descriptor.digest}`, {
      path,
    });
  }
  return descriptor.sizeBytes;
}

function lastBlock(path: string): Uint8Array {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw asSealrootError(error, "Cannot read the staged repository", { path });
  }
  try {
    const block = Buffer.alloc(BLOCK_SIZE_BYTES);
    const start = fstatSync(file).size - BLOCK_SIZE_BYTES;
    const lengthBytes = start < 0 ? 0 : readSync(file, block, 0, BLOCK_SIZE_BYTES, start);
    return block.subarray(0, lengthBytes);
  } finally {
    closeSync(file);
  }
}
