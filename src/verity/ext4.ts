/**
 * How ext4 stores fs-verity data after a file's end (spec/boot-chain.md A; Linux
 * Documentation/filesystems/ext4/verity.rst).
 */
import { alignUp } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { BLOCK_SIZE_BYTES } from "./algorithm.ts";
import { DESCRIPTOR_BYTES, readVerityDescriptor, type VerityDescriptor, verityDescriptor } from "./descriptor.ts";
import type { VerityHasher } from "./hasher.ts";

/** The metadata begin at the next multiple of this after the data, so that 64 KiB pages work too. */
const METADATA_ALIGNMENT_BYTES = 65536;
const TRAILER_BYTES = 4;

/** Where a verity file's metadata go and what they are. */
export interface Ext4VerityTail {
  /** Offset in the file; before it, from the data's end, there is a hole. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Offset at which ext4 keeps the verity metadata of a file of this length. */
export function ext4VerityOffset(sizeBytes: number): number {
  return alignUp(sizeBytes, METADATA_ALIGNMENT_BYTES);
}

/**
 * What to write after a file's data to make it a verity file for ext4, once size and flags are set: Merkle tree,
 * root level first, then one block that starts with the descriptor and ends with its length.
 *
 * @param hasher has seen all bytes of the file, with the option `keepTree`
 */
export function ext4VerityTail(hasher: VerityHasher): Ext4VerityTail {
  const tree = hasher.merkleTree();
  const bytes = new Uint8Array(tree.length + BLOCK_SIZE_BYTES);
  bytes.set(tree, 0);
  bytes.set(verityDescriptor(hasher.algorithm, hasher.sizeBytes, hasher.rootHash()), tree.length);
  new DataView(bytes.buffer).setUint32(bytes.length - TRAILER_BYTES, DESCRIPTOR_BYTES, true);
  return { offset: ext4VerityOffset(hasher.sizeBytes), bytes };
}

/**
 * Reads the descriptor from the last block of an ext4 verity file.
 *
 * @param lastBlock the file's last allocated 4096 bytes
 * @throws SealrootError `corrupt` if the block's last four bytes do not say 256, or the descriptor is not one of ours
 */
export function readExt4VerityDescriptor(lastBlock: Uint8Array): VerityDescriptor {
  if (lastBlock.length !== BLOCK_SIZE_BYTES) {
    throw corrupt(`Cannot read ext4 verity metadata: the last block has ${lastBlock.length} bytes, not 4096`);
  }
  const offset = BLOCK_SIZE_BYTES - TRAILER_BYTES;
  const view = new DataView(lastBlock.buffer, lastBlock.byteOffset, lastBlock.byteLength);
  const descriptorBytes = view.getUint32(offset, true);
  if (descriptorBytes !== DESCRIPTOR_BYTES) {
    throw corrupt(`Cannot read ext4 verity metadata: descriptor length ${descriptorBytes} instead of 256`, { offset });
  }
  return readVerityDescriptor(lastBlock);
}
