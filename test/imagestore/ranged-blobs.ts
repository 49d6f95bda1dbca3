/** A layout whose blobs are served in parts, as a registry does, and what was asked of it. */
import { readFileSync } from "node:fs";
import type { BlobName, BlobReader, ByteRange, RangePiece } from "../../src/oci/blobs.ts";
import { BlobStore } from "../../src/oci/layout/blob-store.ts";

export interface RangedOptions {
  /** Pieces of this size, whatever the ranges. */
  readonly pieceBytes?: number;
  /** The parts of files end here in the blob, without an error. */
  readonly endsAt?: number;
  /** Thrown in place of the n-th request's parts. */
  readonly fail?: (request: number) => Error | undefined;
}

export class RangedBlobs implements BlobReader {
  /** The ranges of each request, in order. */
  readonly requests: (readonly ByteRange[])[] = [];
  /** Digests of blobs that were read whole. */
  readonly wholeReads: string[] = [];
  readonly #store: BlobStore;
  readonly #options: RangedOptions;

  constructor(directory: string, options: RangedOptions = {}) {
    this.#store = new BlobStore(directory);
    this.#options = options;
  }

  /** Bytes of all ranges asked for. */
  get rangesBytes(): number {
    return this.requests.flat().reduce((sum, { start, end }) => sum + end - start, 0);
  }

  read(blob: BlobName): AsyncGenerator<Uint8Array> {
    this.wholeReads.push(blob.digest);
    return this.#store.read(blob);
  }

  readWhole(blob: BlobName): Promise<Uint8Array> {
    return this.#store.readWhole(blob);
  }

  async *readRanges(blob: BlobName, ranges: readonly ByteRange[]): AsyncGenerator<RangePiece> {
    this.requests.push(ranges);
    const failure = this.#options.fail?.(this.requests.length);
    if (failure !== undefined) throw failure;
    const bytes = readFileSync(this.#store.pathOf(blob.digest));
    const pieceBytes = this.#options.pieceBytes ?? 1 << 16;
    for (const [range, { start, end }] of ranges.entries()) {
      for (let at = start; at < end; at += pieceBytes) {
        if (this.requests.length === 2 && at >= (this.#options.endsAt ?? end)) return;
        yield { range, bytes: bytes.subarray(at, Math.min(at + pieceBytes, end)) };
      }
    }
  }
}
