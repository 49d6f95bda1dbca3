/** The ids that a stream refers to, on their way into its tables. */
import { IdIndex, isLowerHex } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { ID_BYTES, type StreamAlgorithm } from "./header.ts";

/** Ids are kept in memory of this many each, so that a long table is not copied whenever it grows. */
const BLOCK_IDS = 16_384;

/** Ids in the order of their first mention, as bytes: a million are 64 MB, as strings in a map 200 MB. */
export class IdTable {
  readonly #idBytes: number;
  readonly #blocks: Buffer[] = [];
  readonly #index = new IdIndex((number) => this.#idOf(number));

  constructor(algorithm: StreamAlgorithm) {
    this.#idBytes = ID_BYTES[algorithm];
  }

  /** The place of an id in the table, where it is put if it is new. */
  index(id: string): number {
    if (id.length !== 2 * this.#idBytes || !isLowerHex(id)) {
      throw new SealrootError(
        "conflict",
        `Cannot write split stream: "${id.slice(0, 160)}" is not an object id of its algorithm`,
      );
    }
    const knownIds = this.#index.size;
    const index = this.#index.add(id);
    if (index === knownIds) this.#keep(id, index);
    return index;
  }

  /** The table as it is written. */
  bytes(): Uint8Array {
    return Buffer.concat(this.#blocks, this.#index.size * this.#idBytes);
  }

  #keep(id: string, index: number): void {
    const at = (index % BLOCK_IDS) * this.#idBytes;
    if (at === 0) this.#blocks.push(Buffer.alloc(BLOCK_IDS * this.#idBytes));
    this.#blockOf(index).write(id, at, "hex");
  }

  #idOf(index: number): string {
    const at = (index % BLOCK_IDS) * this.#idBytes;
    return this.#blockOf(index).toString("hex", at, at + this.#idBytes);
  }

  #blockOf(index: number): Buffer {
    return this.#blocks[Math.floor(index / BLOCK_IDS)] as Buffer;
  }
}
