/** Sizes of the chunks that a file outside the image nominally has (spec/erofs.md 2.8). */
import { BLOCK_SIZE_BITS, CHUNK_BITS_MAX, type Epoch } from "./format.ts";

/** Epoch 2 writes this one for every file: chunks of 2^43 bytes. */
const CHUNK_FORMAT_EPOCH_2 = CHUNK_BITS_MAX - BLOCK_SIZE_BITS;

/** Chunk format of a file: in epoch 1 the smallest chunks for which one index is enough, up to 2^43 bytes. */
export function chunkFormat(sizeBytes: number, epoch: Epoch): number {
  if (epoch === 2) return CHUNK_FORMAT_EPOCH_2;
  const bits = bitLength(sizeBytes - 1);
  return Math.min(Math.max(bits, BLOCK_SIZE_BITS), CHUNK_BITS_MAX) - BLOCK_SIZE_BITS;
}

/** For a number up to 2^53. */
function bitLength(value: number): number {
  const high = Math.floor(value / 2 ** 32);
  return high === 0 ? 32 - Math.clz32(value) : 64 - Math.clz32(high);
}
