/** Reading lines and counted bytes from a stream of parts. */
import { SealrootError } from "../errors/index.ts";

const LINE_MAX_BYTES = 8192;

/** Reads from an iterator of parts; unread data stay with the iterator, which the caller ends. */
export class ByteStream {
  readonly #parts: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(parts: AsyncIterator<Uint8Array>) {
    this.#parts = parts;
  }

  /**
   * A line without its line feed and carriage return; undefined at the end of the stream.
   * @throws SealrootError `corrupt` for a line too long for a header
   */
  async line(): Promise<string | undefined> {
    for (let from = 0; ; ) {
      const end = this.#rest.indexOf(0x0a, from);
      if (end !== -1) {
        const line = Buffer.from(this.#rest.subarray(0, end)).toString("latin1");
        this.#rest = this.#rest.subarray(end + 1);
        return line.replace(/\r$/, "");
      }
      from = this.#rest.length;
      if (from > LINE_MAX_BYTES) {
        throw new SealrootError("corrupt", `Cannot read part of a blob: a header line exceeds ${LINE_MAX_BYTES} bytes`);
      }
      const next = await this.#parts.next();
      if (next.done === true) return undefined;
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
  }

  /** The next `count` bytes in parts; fewer if the stream ends first. */
  async *bytes(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) {
        const next = await this.#parts.next();
        if (next.done === true) return;
        this.#rest = next.value;
        continue;
      }
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }
}
