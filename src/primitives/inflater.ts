/** Inflating raw deflate streams (RFC 1951) piece by piece. */

/** What became of one call. */
export interface InflateStep {
  /** Of the input; less than it has when the output is full, or at the end. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  /**
   * `more`: the input is used up or the output is full; `end`: the stream has ended, and all of its bytes are out; `damaged`: it
   * is no deflate stream.
   */
  readonly state: "more" | "end" | "damaged";
}

/** Takes one stream after the other apart. */
export interface Inflater {
  /** Begins a stream. */
  begin(): void;
  /**
   * Goes on. Where it is quick, it is done at once, otherwise in another thread: neither `input` nor `output` may change
   * until it has ended.
   */
  inflate(input: Uint8Array, output: Uint8Array): InflateStep | Promise<InflateStep>;
  /** CRC-32 of what has come out of the stream (RFC 1952, 8). */
  readonly crc32: number;
  /** After the end: bytes of the input that were read, are not the stream's, and come before the rest of the input. */
  readonly unused: Uint8Array;
}
