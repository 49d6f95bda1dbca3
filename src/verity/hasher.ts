/** The fs-verity file digest, computed while the bytes stream by (spec/erofs.md 5.1; Linux Documentation/filesystems/fsverity.rst). */
import { hash } from "node:crypto";
import { toHex } from "../bytes/index.ts";
import { BLOCK_SIZE_BYTES, DIGEST_BYTES, type VerityAlgorithm } from "./algorithm.ts";
import { descriptorDigest, verityDescriptor } from "./descriptor.ts";

/** One level of the Merkle tree: the block being filled, and the blocks before it when the tree is kept. */
interface TreeLevel {
  readonly pending: Uint8Array;
  pendingBytes: number;
  readonly kept: Uint8Array[];
}

/**
 * Computes one file's fs-verity digest: 4096-byte blocks, no salt.
 *
 * Feed the bytes in pieces of any size with {@link update}; whole blocks are hashed where they lie, without a copy.
 * Memory is one block a tree level, unless the tree itself is kept. An instance serves one file.
 */
export class VerityHasher {
  readonly algorithm: VerityAlgorithm;
  readonly #keepTree: boolean;
  readonly #partial = new Uint8Array(BLOCK_SIZE_BYTES);
  readonly #levels: TreeLevel[] = [];
  #partialBytes = 0;
  #sizeBytes = 0;
  #rootHash: Uint8Array | undefined;

  /** @param options.keepTree keep the Merkle tree's blocks, for {@link merkleTree} (1/127 or 1/63 of the data) */
  constructor(algorithm: VerityAlgorithm, options: { readonly keepTree?: boolean } = {}) {
    this.algorithm = algorithm;
    this.#keepTree = options.keepTree ?? false;
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
      at = Math.min(BLOCK_SIZE_BYTES - this.#partialBytes, chunk.length);
      this.#partial.set(chunk.subarray(0, at), this.#partialBytes);
      this.#partialBytes += at;
      if (this.#partialBytes < BLOCK_SIZE_BYTES) return this;
      this.#push(0, this.#hashBlock(this.#partial));
      this.#partialBytes = 0;
    }
    for (; at + BLOCK_SIZE_BYTES <= chunk.length; at += BLOCK_SIZE_BYTES) {
      this.#push(0, this.#hashBlock(chunk.subarray(at, at + BLOCK_SIZE_BYTES)));
    }
    this.#partial.set(chunk.subarray(at), 0);
    this.#partialBytes = chunk.length - at;
    return this;
  }

  /** The Merkle tree's root hash; all zero for an empty file. Ends the input. */
  rootHash(): Uint8Array {
    this.#rootHash ??= this.#finishTree();
    return this.#rootHash;
  }

  /** The file digest: the hash of the descriptor. Ends the input; may be called again. */
  digest(): Uint8Array {
    return descriptorDigest(verityDescriptor(this.algorithm, this.#sizeBytes, this.rootHash()), this.algorithm);
  }

  /** The file digest as lower-case hex, the name of the object. */
  hexDigest(): string {
    return toHex(this.digest());
  }

  /**
   * The Merkle tree's blocks in the order of storage: root level first, leaf level last. Empty for files of up to one
   * block, whose root hash needs no tree. Ends the input. Only with `keepTree`.
   */
  merkleTree(): Uint8Array {
    if (!this.#keepTree) throw new Error("VerityHasher.merkleTree() needs the option keepTree");
    this.rootHash();
    if (this.#sizeBytes <= BLOCK_SIZE_BYTES) return new Uint8Array(0);
    return Buffer.concat(this.#levels.toReversed().flatMap((level) => level.kept));
  }

  #hashBlock(block: Uint8Array): Uint8Array {
    return hash(this.algorithm, block, "buffer");
  }

  /** Adds a hash to a level; a full block of it is hashed into the level above when the next hash arrives. */
  #push(index: number, digest: Uint8Array): void {
    let level = this.#levels[index];
    if (level === undefined) {
      level = { pending: new Uint8Array(BLOCK_SIZE_BYTES), pendingBytes: 0, kept: [] };
      this.#levels.push(level);
    }
    if (level.pendingBytes === BLOCK_SIZE_BYTES) {
      this.#push(index + 1, this.#closeBlock(level));
      level.pendingBytes = 0;
    }
    level.pending.set(digest, level.pendingBytes);
    level.pendingBytes += digest.length;
  }

  #closeBlock(level: TreeLevel): Uint8Array {
    level.pending.fill(0, level.pendingBytes);
    if (this.#keepTree) level.kept.push(level.pending.slice());
    return this.#hashBlock(level.pending);
  }

  #finishTree(): Uint8Array {
    const digestBytes = DIGEST_BYTES[this.algorithm];
    if (this.#sizeBytes === 0) return new Uint8Array(digestBytes);
    if (this.#partialBytes > 0) {
      this.#partial.fill(0, this.#partialBytes);
      this.#push(0, this.#hashBlock(this.#partial));
    }
    const leaves = this.#levels[0];
    if (leaves !== undefined && this.#sizeBytes <= BLOCK_SIZE_BYTES) return leaves.pending.slice(0, digestBytes);
    for (let index = 0; ; index++) {
      const level = this.#levels[index];
      if (level === undefined) throw new Error("unreachable: a tree of more than one block has a level");
      const digest = this.#closeBlock(level);
      if (index + 1 === this.#levels.length) return digest;
      this.#push(index + 1, digest);
    }
  }
}

/** The fs-verity digest of bytes at hand, as lower-case hex. */
export function verityDigest(bytes: Uint8Array, algorithm: VerityAlgorithm): string {
  return new VerityHasher(algorithm).update(bytes).hexDigest();
}
