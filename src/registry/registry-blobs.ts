/**
 * Blobs of a repository: whole and in parts, resumed where they were interrupted (spec/chunked-and-policy.md 4.2, 1.7).
 */
import { SealrootError } from "../errors/index.ts";
import {
  type BlobName,
  type BlobReader,
  type ByteRange,
  checkedBlob,
  type RangePiece,
  sizeMismatch,
  wholeBlob,
} from "../oci/index.ts";
import type { RegistryClient } from "./client.ts";
import { rangeHeader } from "./content-range.ts";
import type { HttpResponse } from "./http-response.ts";
import { isPassing } from "./network-error.ts";
import { PendingRanges } from "./pending-ranges.ts";
import { positionedBytes } from "./positioned-bytes.ts";
import { retryDelayMs } from "./retry.ts";

/** More ranges make the header longer than servers accept by default (8 KiB). */
const RANGES_MAX = 256;
const RANGE_NOT_SATISFIABLE = 416;
/** Statuses of servers that refuse so many ranges, or so long a header. */
const TOO_MANY_RANGES = [400, 414, 431];
/** An attempt that brings this much, or this share of the blob, does not count as a failure. */
const PROGRESS_BYTES = 1 << 20;
const PROGRESS_SHARE = 1 / 20;

/** The blobs of one repository. */
export class RegistryBlobs implements BlobReader {
  readonly #client: RegistryClient;

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  read(blob: BlobName): AsyncGenerator<Uint8Array> {
    return checkedBlob(this.#whole(blob), blob, blob.size, this.#nameOf(blob));
  }

  readWhole(blob: BlobName): Promise<Uint8Array> {
    return wholeBlob(this, blob);
  }

  /** A server that sends the whole blob instead is accepted: the ranges are cut out here. */
  readRanges(blob: BlobName, ranges: readonly ByteRange[]): AsyncGenerator<RangePiece> {
    return this.#fetch(blob, new PendingRanges(ranges, blob.size), false);
  }

  async *#whole(blob: BlobName): AsyncGenerator<Uint8Array> {
    const pending = new PendingRanges([{ start: 0, end: blob.size }], blob.size);
    for await (const { bytes } of this.#fetch(blob, pending, true)) yield bytes;
  }

  /** @param isWhole true: also read to the end, to notice a blob that is too long */
  async *#fetch(blob: BlobName, pending: PendingRanges, isWhole: boolean): AsyncGenerator<RangePiece> {
    let fruitless = 0;
    let rangesMax = RANGES_MAX;
    while (pending.count > 0) {
      const [missingBefore, countBefore] = [pending.missingBytes, pending.count];
      const asked = Math.min(rangesMax, pending.count);
      const response = await this.#get(blob, pending.first(asked));
      if (TOO_MANY_RANGES.includes(response.status)) {
        rangesMax = fewerRanges(response, asked, this.#nameOf(blob));
        continue;
      }
      let cut: unknown;
      try {
        for await (const part of positionedBytes(response, blob.size)) {
          yield* pending.take(part);
          if (pending.count === 0 && !isWhole) return;
        }
      } catch (error) {
        response.discard();
        if (!isPassing(error)) throw error;
        cut = error;
      }
      // A server may answer only the first of several ranges: that is progress, not a failure.
      if (pending.count === 0 || (cut === undefined && pending.count < countBefore)) continue;
      const gotBytes = missingBefore - pending.missingBytes;
      fruitless = gotBytes >= Math.min(PROGRESS_BYTES, blob.size * PROGRESS_SHARE) ? 0 : fruitless + 1;
      await this.#pause(blob, fruitless, blob.size - pending.missingBytes, cut);
    }
  }

  async #get(blob: BlobName, ranges: readonly ByteRange[]): Promise<HttpResponse> {
    const [only] = ranges;
    const isAll = ranges.length === 1 && only?.start === 0 && only.end === blob.size;
    const response = await this.#client.request("GET", `blobs/${blob.digest}`, {
      ...(isAll ? {} : { headers: { range: rangeHeader(ranges) } }),
      expect: [200, ...(isAll ? [] : [206, RANGE_NOT_SATISFIABLE, ...TOO_MANY_RANGES])],
      action: `Cannot read blob ${this.#nameOf(blob)}`,
    });
    if (response.status !== RANGE_NOT_SATISFIABLE) return response;
    response.discard();
    const what = `Cannot read blob ${this.#nameOf(blob)}: the registry has no bytes ${only?.start}-${ranges.at(-1)?.end}`;
    throw new SealrootError("corrupt", what, { path: blob.digest, expected: `${blob.size} bytes` });
  }

  /** Waits before the next attempt, or gives up. */
  async #pause(blob: BlobName, fruitless: number, doneBytes: number, cut: unknown): Promise<void> {
    const { limits, events, name } = this.#client;
    if (fruitless > limits.retries) throw cut ?? sizeMismatch(this.#nameOf(blob), blob.size, doneBytes);
    const delayMs = retryDelayMs(limits, fruitless);
    const text = `${name}: blob was cut after ${doneBytes} of ${blob.size} bytes; going on in ${(delayMs / 1000).toFixed(1)} s`;
    events({ type: "message", level: "info", text });
    await this.#client.wait(delayMs);
  }

  #nameOf(blob: BlobName): string {
    return `${this.#client.name}@${blob.digest}`;
  }
}

function fewerRanges(response: HttpResponse, asked: number, name: string): number {
  response.discard();
  if (asked > 1) return Math.ceil(asked / 2);
  const what = `Cannot read parts of blob ${name}: the registry answered with status ${response.status}`;
  throw new SealrootError("unsupported", what, { actual: String(response.status) });
}
