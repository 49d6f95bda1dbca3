/**
 * The fs-verity file digest, computed as the bytes stream by (spec/erofs.md 5.1; Linux
 * Documentation/filesystems/fsverity.rst).
 */
import { fromHex } from "../bytes/index.ts";
import { BLOCK_SIZE_BYTES, DIGEST_BYTES, type VerityAlgorithm } from "./algorithm.ts";
import { fileDigest } from "./descriptor.ts";
import { MerkleLevels } from "./merkle-levels.ts";

/**
 * Blocks returned by finished hashers: most files end in a partial block, and an allocation costs as much as its hash.
 */
const freeBlocks: Buffer[] = [];
const FREE_BLOCKS_MAX = 16;

/**
 * Computes one file's fs-verity digest: 4096-byte blocks, no salt.
 *
 * Feed the bytes in pieces of any size with {@link update}; whole blocks are hashed in place, without a copy, many at
 * once where the machine can. Memory is 64 KiB per tree level, unless the tree itself is kept. An instance serves one file.
 */
export class VerityHasher {
  readonly algorithm: VerityAlgorithm;
  readonly #levels: MerkleLevels;
  readonly #keepTree: boolean;
  #partial: Buffer | undefined;
  #partialBytes = 0;
  #sizeBytes = 0;
  #rootHash: Buffer | undefined;

  /** @param options.keepTree keep the Merkle tree's blocks, for {@link merkleTree} (1/127 or 1/63 of the data) */
  constructor(algorithm: VerityAlgorithm, options: { readonly keepTree?: boolean } = {}) {
    this.algorithm = algorithm;
    this.#keepTree = options.keepTree === true;
    this.#levels = new MerkleLevels(algorithm, this.#keepTree);
  }

  /** Bytes fed so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Appends bytes of the file. They are not referenced after the call. */
  update(chunk: Uint8Array): this {
    if (this.#rootHash !== undefined) throw new Error("VerityHasher.update() after the digest was taken");
    this.#sizeBytes += chunk.length;
    let at = 0;
    if (this.#partialBytes > 0) {
      at = this.#fillPartial(chunk, 0);
      if (this.#partialBytes < BLOCK_SIZE_BYTES) return this;
      this.#hashPartial();
    }
    const blocks = Math.floor((chunk.length - at) / BLOCK_SIZE_BYTES);
    this.#levels.addBlocks(chunk, at, blocks);
    at += blocks * BLOCK_SIZE_BYTES;
    if (at < chunk.length) this.#fillPartial(chunk, at);
    return this;
  }

  /** The Merkle tree's root hash; all zero for an empty file. Ends the input. */
  rootHash(): Uint8Array {
    return Uint8Array.from(this.#root());
  }

  /** The file digest: the hash of the descriptor. Ends the input; may be called again. */
  digest(): Uint8Array {
    return fromHex(this.hexDigest());
  }

  /** The file digest as lower-case hex, the name of the object. */
  hexDigest(): string {
    return fileDigest(this.algorithm, this.#sizeBytes, this.#root());
  }

  /**
   * The Merkle tree's blocks in the order of storage: root level first, leaf level last. Empty for files of up to one
   * block, whose root hash needs no tree. Ends the input. Only with `keepTree`.
   */
  merkleTree(): Uint8Array {
    if (!this.#keepTree) throw new Error("VerityHasher.merkleTree() needs the option keepTree");
    this.#root();
    return Buffer.concat(this.#levels.keptBlocks.toReversed().flat());
  }

  /** Copies bytes of the chunk, from `start`, into the block being filled. @returns where the next ones begin */
  #fillPartial(chunk: Uint8Array, start: number): number {
    this.#partial ??= freeBlocks.pop() ?? Buffer.allocUnsafe(BLOCK_SIZE_BYTES);
    const end = Math.min(start + BLOCK_SIZE_BYTES - this.#partialBytes, chunk.length);
    this.#partial.set(chunk.subarray(start, end), this.#partialBytes);
    this.#partialBytes += end - start;
    return end;
  }

  /** Hashes the block being filled, padded with zeros. */
  #hashPartial(): void {
    if (this.#partial === undefined || this.#partialBytes === 0) return;
    this.#partial.fill(0, this.#partialBytes);
    this.#partialBytes = 0;
    this.#levels.addBlocks(this.#partial, 0, 1);
  }

  #root(): Buffer {
    this.#rootHash ??= this.#finishTree();
    return this.#rootHash;
  }

  #finishTree(): Buffer {
    if (this.#sizeBytes === 0) return Buffer.alloc(DIGEST_BYTES[this.algorithm]);
    this.#hashPartial();
    if (this.#partial !== undefined && freeBlocks.length < FREE_BLOCKS_MAX) freeBlocks.push(this.#partial);
    this.#partial = undefined;
    return this.#levels.finish();
  }
}

/** The fs-verity digest of bytes in memory, as lower-case hex. */
export function verityDigest(bytes: Uint8Array, algorithm: VerityAlgorithm): string {
  return verityDigestOfPieces([bytes], algorithm);
}

/** The fs-verity digest of the file that consists of these pieces, as lower-case hex. */
export function verityDigestOfPieces(pieces: Iterable<Uint8Array>, algorithm: VerityAlgorithm): string {
  const hasher = new VerityHasher(algorithm);
  for (const piece of pieces) hasher.update(piece);
  return hasher.hexDigest();
}
