/** Writing zstd:chunked blobs (spec/chunked-and-policy.md 1.1 to 1.5). */
import { createHash, type Hash } from "node:crypto";
import { ByteWriter } from "../bytes/index.ts";
import { type TarEntry, TarParser } from "../tar/index.ts";
import { zstdFrame } from "../zstd/index.ts";
import { CHUNKED_ANNOTATION } from "./annotations.ts";
import { Crc64 } from "./crc64.ts";
import { FileCutter } from "./file-cutter.ts";
import { FrameQueue } from "./frame-queue.ts";
import type { TocChunk } from "./toc.ts";
import { type RecordedToc, TocRecorder } from "./toc-recorder.ts";
import { formatToc } from "./toc-writer.ts";

/** Magic of the skippable frames that the format uses (spec 1.1; RFC 8878, 3.1.2). */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_HEADER_BYTES = 8;
/** `GNUlInUx`, the end of the footer (spec 1.1). */
const FOOTER_MAGIC = "GNUlInUx";
const TOC_TYPE = 1;

/** The tar is processed in steps of this size, and about as many bytes wait for compression at a time. */
const STEP_BYTES = 256 << 10;
const WAITING_MAX_BYTES = 2 << 20;
/** Headers between two bodies make one frame; longer ones are cut. */
const HEADERS_MAX_BYTES = 1 << 20;

export interface ChunkedOptions {
  /** 1..22; the library's default if absent. */
  readonly level?: number;
}

/** A file body being stored. */
interface Body {
  readonly entry: TarEntry;
  readonly chunks: TocChunk[];
  readonly cutter: FileCutter;
  readonly hash: Hash;
  readonly checksum: Crc64;
  missingBytes: number;
}

/**
 * Compresses one tar stream so that its files can be fetched one by one. Equal tars give equal blobs, and a file gives
 * equal frames wherever it is.
 *
 * Any zstd reader gets the tar back. A tar that such a table cannot describe (see {@link refusal}) becomes many frames
 * without a table, and {@link annotations} are empty: an ordinary zstd layer.
 */
export class ChunkedCompressor {
  readonly #frames: FrameQueue;
  readonly #recorder = new TocRecorder();
  readonly #parser: TarParser;
  #headers: Uint8Array[] = [];
  #headersBytes = 0;
  #body: Body | undefined;
  #annotations: Readonly<Record<string, string>> = {};

  constructor(options: ChunkedOptions = {}) {
    this.#frames = new FrameQueue(options.level);
    this.#parser = new TarParser(
      {
        inline: (bytes) => this.#inline(bytes),
        entry: (entry, body) => this.#entry(entry, body.type === "streamed"),
        body: (bytes) => this.#bodyBytes(bytes),
        globalHeader: () => this.#recorder.refuse("a global header"),
      },
      0,
    );
  }

  /** What the layer's descriptor must carry; known after {@link compress} has ended. */
  get annotations(): Readonly<Record<string, string>> {
    return this.#annotations;
  }

  /** Why the blob has no table of contents; undefined if it has one. */
  get refusal(): string | undefined {
    return this.#recorder.refusal;
  }

  /**
   * The blob in pieces. Call once.
   * @param tar the uncompressed stream in pieces of any size, each valid until the next is requested; the blob does not
   *   depend on them
   * @throws SealrootError `corrupt` or `unsupported` when it is not a tar; what `tar` throws passes through
   */
  async *compress(tar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of tar) {
      for (let at = 0; at < piece.length; at += STEP_BYTES) {
        this.#parser.push(piece.subarray(at, at + STEP_BYTES));
        yield* this.#frames.settle(WAITING_MAX_BYTES);
      }
      await this.#recorder.drained();
    }
    this.#parser.finish();
    this.#endHeaders();
    // A zstd stream has at least one frame.
    if (this.#parser.streamBytes === 0) this.#frames.add(new Uint8Array(0));
    yield* this.#frames.settle(0);
    yield* this.#tail(await this.#recorder.finish());
  }

  #inline(bytes: Uint8Array): void {
    this.#recorder.raw(bytes);
    for (let at = 0; at < bytes.length; ) {
      const part = new Uint8Array(bytes.subarray(at, at + HEADERS_MAX_BYTES - this.#headersBytes));
      this.#headers.push(part);
      this.#headersBytes += part.length;
      at += part.length;
      if (this.#headersBytes === HEADERS_MAX_BYTES) this.#endHeaders();
    }
  }

  #endHeaders(): void {
    if (this.#headersBytes > 0) this.#frames.add(Buffer.concat(this.#headers));
    this.#headers = [];
    this.#headersBytes = 0;
  }

  #entry(entry: TarEntry, hasBody: boolean): void {
    if (!hasBody) {
      this.#recorder.entry(entry, undefined, undefined);
      return;
    }
    this.#endHeaders();
    const chunks: TocChunk[] = [];
    const cutter = new FileCutter(({ bytes, isHole }) => {
      const digest = sha256(bytes);
      const placed = (start: number, end: number) =>
        chunks.push({ start, end, sizeBytes: bytes.length, digest, isHole });
      this.#frames.add(bytes, placed);
    });
    this.#body = {
      entry,
      chunks,
      cutter,
      hash: createHash("sha256"),
      checksum: new Crc64(),
      missingBytes: entry.sizeBytes,
    };
  }

  #bodyBytes(bytes: Uint8Array): void {
    const body = this.#body;
    if (body === undefined) return;
    body.hash.update(bytes);
    body.checksum.update(bytes);
    body.cutter.write(bytes);
    body.missingBytes -= bytes.length;
    if (body.missingBytes > 0) return;
    this.#body = undefined;
    body.cutter.finish();
    // The chunks get their places when their frames are yielded.
    const content = { digest: `sha256:${body.hash.digest("hex")}`, chunks: body.chunks };
    this.#recorder.entry(body.entry, content, body.checksum.digest());
  }

  /** Table, tar-split data, footer; nothing if there is no table. */
  async *#tail(recorded: RecordedToc): AsyncGenerator<Uint8Array> {
    const tarSplitDigest = sha256(recorded.tarSplit);
    const json = this.refusal === undefined ? formatToc({ entries: recorded.entries, tarSplitDigest }) : undefined;
    if (json === undefined) {
      this.#recorder.refuse("names that are not UTF-8, or times far away");
      return;
    }
    const toc = zstdFrame(json);
    const tocStart = this.#frames.offset + SKIPPABLE_HEADER_BYTES;
    const tarSplitStart = tocStart + toc.length + SKIPPABLE_HEADER_BYTES;
    const tocPlace = [tocStart, toc.length, json.length, TOC_TYPE];
    const tarSplitPlace = [tarSplitStart, recorded.tarSplit.length, recorded.tarSplitBytes];
    const footer = new ByteWriter(64);
    for (const number of [...tocPlace, ...tarSplitPlace]) footer.u64(number);
    footer.latin1(FOOTER_MAGIC);
    yield* [skippable(toc), skippable(recorded.tarSplit), skippable(footer.finish())];
    this.#annotations = {
      [CHUNKED_ANNOTATION.tocPosition]: tocPlace.join(":"),
      [CHUNKED_ANNOTATION.tocDigest]: sha256(toc),
      [CHUNKED_ANNOTATION.tarSplitPosition]: tarSplitPlace.join(":"),
    };
  }
}

function skippable(payload: Uint8Array): Uint8Array {
  return new ByteWriter(SKIPPABLE_HEADER_BYTES + payload.length)
    .u32(SKIPPABLE_MAGIC)
    .u32(payload.length)
    .bytes(payload)
    .finish();
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
