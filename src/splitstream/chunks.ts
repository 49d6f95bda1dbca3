/** The chunk sequence: inline bytes and references to objects (spec/repository.md 4, "Chunks"). */
import { corrupt } from "../errors/index.ts";

const PREFIX_BYTES = 8;

/** Encodes chunks; runs of inline bytes become one chunk. */
export class ChunkEncoder {
  #buffer = Buffer.allocUnsafe(64 << 10);
  #used = 0;
  /** Where the prefix of the open inline chunk is; -1 without one. */
  #open = -1;

  /** Encoded bytes waiting here, including those of an open chunk. */
  get waitingBytes(): number {
    return this.#used;
  }

  /** Appends inline bytes, which are copied. */
  inline(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#open === -1) {
      this.#open = this.#used;
      this.#reserve(PREFIX_BYTES);
    }
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Ends the open inline chunk; more inline bytes begin another. */
  close(): void {
    if (this.#open === -1) return;
    const length = this.#used - this.#open - PREFIX_BYTES;
    this.#buffer.writeBigInt64LE(BigInt(-length), this.#open);
    this.#open = -1;
  }

  /** Appends a reference to `object_refs[index]`. */
  external(index: number): void {
    this.close();
    const at = this.#reserve(PREFIX_BYTES);
    this.#buffer.writeBigInt64LE(BigInt(index), at);
  }

  /** Returns everything encoded and starts afresh. Only without an open chunk. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#used);
    this.#buffer = Buffer.allocUnsafe(64 << 10);
    this.#used = 0;
    return taken;
  }

  #reserve(length: number): number {
    const start = this.#used;
    this.#used += length;
    if (this.#used > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#used, 2 * this.#buffer.length));
      this.#buffer.copy(grown, 0, 0, start);
      this.#buffer = grown;
    }
    return start;
  }
}

/** Receives the chunks of a stream in order. */
export interface ChunkVisitor {
  /** Part of an inline chunk; the view is valid only during the call. */
  inline(bytes: Uint8Array): void;
  /** A whole object is here. */
  external(index: number): void;
}

/** Decodes a chunk sequence that arrives in pieces. */
export class ChunkDecoder {
  readonly #visitor: ChunkVisitor;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  /** Inline bytes still to come. */
  #inlineBytes = 0;

  constructor(visitor: ChunkVisitor) {
    this.#visitor = visitor;
  }

  push(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#inlineBytes > 0) {
        const length = Math.min(this.#inlineBytes, piece.length - at);
        this.#visitor.inline(piece.subarray(at, at + length));
        this.#inlineBytes -= length;
        at += length;
      } else {
        const length = Math.min(PREFIX_BYTES - this.#prefixBytes, piece.length - at);
        this.#prefix.set(piece.subarray(at, at + length), this.#prefixBytes);
        this.#prefixBytes += length;
        at += length;
        if (this.#prefixBytes === PREFIX_BYTES) this.#chunk();
      }
    }
  }

  /** @throws SealrootError `corrupt` inside a chunk */
  finish(): void {
    if (this.#prefixBytes > 0 || this.#inlineBytes > 0) {
      throw corrupt("Cannot read split stream: unexpected end inside a chunk");
    }
  }

  #chunk(): void {
    const value = Number(this.#prefix.readBigInt64LE(0));
    if (!Number.isSafeInteger(value)) throw corrupt(`Cannot read split stream: chunk prefix ${value} is out of range`);
    this.#prefixBytes = 0;
    if (value < 0) this.#inlineBytes = -value;
    else this.#visitor.external(value);
  }
}
