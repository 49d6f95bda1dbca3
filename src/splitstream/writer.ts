/** Writing a split stream. */
import { ZstdEncoder, zstdFrame } from "../zstd/index.ts";
import { ChunkEncoder } from "./chunks.ts";
import { HEAD_BYTES, type Range, type StreamAlgorithm, writeHead } from "./header.ts";
import { IdTable } from "./id-table.ts";

/** The compressor's level in the reference tool: 3 (spec/repository.md 4, "zstd"). */
const ZSTD_LEVEL = 3;
/** Encoded chunks go to the compressor in blocks of about this size. */
const BLOCK_BYTES = 128 << 10;
/**
 * Inline bytes that may accumulate before {@link SplitStreamWriter.mayBreak} ends their chunk. The reference tool keeps
 * a run of any length in memory; real layers stay far below.
 */
const INLINE_RUN_BYTES = 16 << 20;

/**
 * Builds one split stream. Give the parts of the stream in order, then {@link finish}. Only the compressed form and the
 * ids are kept in memory.
 */
export class SplitStreamWriter {
  readonly #algorithm: StreamAlgorithm;
  readonly #contentType: string;
  readonly #objects: IdTable;
  readonly #streams: IdTable;
  readonly #names = new Map<string, number>();
  readonly #chunks = new ChunkEncoder();
  readonly #encoder = new ZstdEncoder(ZSTD_LEVEL);
  #sizeBytes = 0;

  /** @param contentType eight ASCII characters, such as `ocilayer` */
  constructor(algorithm: StreamAlgorithm, contentType: string) {
    if (!/^[\x20-\x7e]{8}$/.test(contentType)) throw new TypeError(`content type "${contentType}" is not 8 characters`);
    this.#algorithm = algorithm;
    this.#contentType = contentType;
    this.#objects = new IdTable(algorithm);
    this.#streams = new IdTable(algorithm);
  }

  /** The next bytes of the stream, copied. */
  inline(bytes: Uint8Array): void {
    this.#sizeBytes += bytes.length;
    this.#chunks.inline(bytes);
  }

  /** The next `sizeBytes` of the stream are a whole object. */
  external(objectId: string, sizeBytes: number): void {
    this.#sizeBytes += sizeBytes;
    this.#chunks.external(this.#objects.index(objectId));
    if (this.#chunks.waitingBytes >= BLOCK_BYTES) this.#encoder.write(this.#chunks.take());
  }

  /**
   * Refers to an object that belongs to the stream without being part of it, so that it is kept as long as the stream.
   */
  reference(objectId: string): void {
    this.#objects.index(objectId);
  }

  /** Marks a place that a reader never reads across, so a very long inline run may be cut here. */
  mayBreak(): void {
    if (this.#chunks.waitingBytes < INLINE_RUN_BYTES) return;
    this.#chunks.close();
    this.#encoder.write(this.#chunks.take());
  }

  /** Refers to another stream or an image by a name; the last use of a name counts. */
  nameRef(name: string, objectId: string): void {
    if (name.includes("\0")) throw new TypeError("a named reference contains NUL");
    this.#names.set(name, this.#streams.index(objectId));
  }

  /** Resolves when the compressor has caught up; await it now and then to bound the memory. */
  drained(): Promise<void> {
    return this.#encoder.drained();
  }

  /** The finished object. */
  async finish(): Promise<Uint8Array> {
    this.#chunks.close();
    this.#encoder.write(this.#chunks.take());
    const sections = [this.#streams.bytes(), this.#objects.bytes(), this.#namedRefs(), await this.#encoder.finish()];
    let offset = HEAD_BYTES;
    const ranges = sections.map((section): Range => {
      const range = { start: offset, end: offset + section.length };
      offset = range.end;
      return range;
    });
    const [streamRefs, objectRefs, namedRefs, stream] = ranges as [Range, Range, Range, Range];
    const head = writeHead({
      algorithm: this.#algorithm,
      streamRefs,
      objectRefs,
      stream,
      namedRefs,
      contentType: this.#contentType,
      sizeBytes: this.#sizeBytes,
    });
    return Buffer.concat([head, ...sections]);
  }

  /** `<index>:<name>\0` for each name, sorted by the bytes of the name (spec/repository.md 4, "Named refs"). */
  #namedRefs(): Uint8Array {
    const entries = [...this.#names].map(([name, index]) => ({ name: Buffer.from(name, "utf8"), index }));
    entries.sort((a, b) => Buffer.compare(a.name, b.name));
    const records = entries.flatMap(({ name, index }) => [Buffer.from(`${index}:`), name, Buffer.of(0)]);
    return zstdFrame(Buffer.concat(records));
  }
}
