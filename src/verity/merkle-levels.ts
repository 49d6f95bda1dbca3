/** The levels of a Merkle tree while they fill (Linux Documentation/filesystems/fsverity.rst, "Merkle tree"). */
import { hashMessages, type MessageQueue } from "../primitives/index.ts";
import { BLOCK_SIZE_BYTES, DIGEST_BYTES, type VerityAlgorithm } from "./algorithm.ts";

/** So many blocks of a level are hashed together. */
const LEVEL_BLOCKS = 16;
const LEVEL_BYTES = LEVEL_BLOCKS * BLOCK_SIZE_BYTES;
/** Memory of finished trees, used again. */
const freeLevels: Buffer[] = [];
const FREE_LEVELS_MAX = 8;

interface Level {
  /** Digests of the level below, of blocks that are not hashed yet. */
  readonly digests: Buffer;
  usedBytes: number;
  /** How many there were in all. */
  count: number;
  /** The blocks that were, when the tree is kept. */
  readonly kept: Uint8Array[];
}

/** Collects the digests of a file's blocks. The memory is 64 KiB a level, unless the tree itself is kept. */
export class MerkleLevels {
  readonly #algorithm: VerityAlgorithm;
  readonly #digestBytes: number;
  readonly #keep: boolean;
  readonly #levels: Level[] = [];

  constructor(algorithm: VerityAlgorithm, keep: boolean) {
    this.#algorithm = algorithm;
    this.#digestBytes = DIGEST_BYTES[algorithm];
    this.#keep = keep;
  }

  /** Hashes the file's next blocks: `count` of them from `offset` of `bytes`. */
  addBlocks(bytes: Uint8Array, offset: number, count: number): void {
    for (let done = 0; done < count; ) {
      done += this.#addTo(0, bytes, offset + done * BLOCK_SIZE_BYTES, count - done);
    }
  }

  /**
   * Hashes what is left, level by level. Ends the tree.
   * @returns the root hash: the only digest of its level
   */
  finish(): Buffer {
    for (let index = 0; ; index++) {
      const level = this.#level(index);
      if (level.count === 1) return this.#root(level);
      const blocks = Math.ceil(level.usedBytes / BLOCK_SIZE_BYTES);
      level.digests.fill(0, level.usedBytes, blocks * BLOCK_SIZE_BYTES);
      this.#raise(index, blocks);
    }
  }

  /** The blocks, level by level from the leaves' digests up. Only when they are kept, after the end. */
  get keptBlocks(): readonly (readonly Uint8Array[])[] {
    return this.#levels.map((level) => level.kept);
  }

  /** @returns how many blocks there was room for */
  #addTo(index: number, bytes: Uint8Array, offset: number, count: number): number {
    const level = this.#level(index);
    const taken = Math.min(count, (LEVEL_BYTES - level.usedBytes) / this.#digestBytes);
    const add = (queue: MessageQueue) => queue.add(bytes, offset, taken, level.digests, level.usedBytes);
    hashMessages(this.#algorithm, BLOCK_SIZE_BYTES, taken, add);
    level.usedBytes += taken * this.#digestBytes;
    level.count += taken;
    if (level.usedBytes === LEVEL_BYTES) this.#raise(index, LEVEL_BLOCKS);
    return taken;
  }

  /** Hashes a level's blocks into the one above. */
  #raise(index: number, blocks: number): void {
    const level = this.#level(index);
    if (this.#keep && blocks > 0)
      level.kept.push(Uint8Array.from(level.digests.subarray(0, blocks * BLOCK_SIZE_BYTES)));
    level.usedBytes = 0;
    for (let done = 0; done < blocks; ) {
      done += this.#addTo(index + 1, level.digests, done * BLOCK_SIZE_BYTES, blocks - done);
    }
  }

  #level(index: number): Level {
    const found = this.#levels[index];
    if (found !== undefined) return found;
    const level: Level = {
      digests: freeLevels.pop() ?? Buffer.allocUnsafeSlow(LEVEL_BYTES),
      usedBytes: 0,
      count: 0,
      kept: [],
    };
    this.#levels.push(level);
    return level;
  }

  #root(level: Level): Buffer {
    const root = Buffer.from(level.digests.subarray(0, this.#digestBytes));
    for (const { digests } of this.#levels) {
      if (freeLevels.length < FREE_LEVELS_MAX) freeLevels.push(digests);
    }
    return root;
  }
}
