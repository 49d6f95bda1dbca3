/** The frames of a zstd stream, found without decompressing (RFC 8878, section 3.1). */
import { corrupt } from "../errors/index.ts";

/** Magic of a frame, little-endian (RFC 8878, 3.1.1). */
const FRAME_MAGIC = 0xfd2fb528;
/** Magics of skippable frames: this value and the fifteen after it (RFC 8878, 3.1.2). */
const SKIPPABLE_MAGIC = 0x184d2a50;
/** Largest block content (RFC 8878, 3.1.1.2.4). */
const BLOCK_MAX_BYTES = 128 << 10;
/**
 * A compressed block has two headers of at least a byte (RFC 8878, 3.1.1.3); libzstd accepts an empty one when
 * streaming.
 */
const COMPRESSED_BLOCK_MIN_BYTES = 2;
/** Reserved bit of the frame header descriptor; must be zero (RFC 8878, 3.1.1.1.1.4). */
const RESERVED_BIT = 0x08;

const MAGIC_BYTES = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);

type Part = "magic" | "skip-size" | "skip" | "descriptor" | "header-rest" | "block-header" | "block" | "checksum";

/** The parts that are collected because their value decides what follows. */
const GATHERED: ReadonlySet<Part> = new Set(["magic", "skip-size", "descriptor", "block-header"]);

/**
 * Walks a zstd stream given in pieces and yields only the bytes of its data frames, never two frames in one piece.
 *
 * Why: zstd in Node 24 stops silently at the end of the first frame when a write goes past it (nodejs/node#64741), and
 * layers made of many frames with skippable ones between are common (zstd:chunked). Fed piece by piece as cut here,
 * one decompressor decodes them all.
 */
export class ZstdFrameWalker {
  #part: Part = "magic";
  /** Bytes of the current part still to come. */
  #wanted = 4;
  /** Little-endian value of the collected part so far, and its length in bytes. */
  #value = 0;
  #valueBytes = 0;
  #lastBlock = false;
  #hasChecksum = false;
  #offset = 0;
  #frames = 0;

  /** Data frames begun so far. */
  get frames(): number {
    return this.#frames;
  }

  /**
   * The parts of `piece` that belong to data frames, cut at frame ends: views, and sometimes a magic that came in two
   * pieces.
   * @throws SealrootError `corrupt`, with the offset in the stream
   */
  push(piece: Uint8Array): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let start = this.#inFrame() ? 0 : -1;
    let at = 0;
    while (at < piece.length) {
      const length = Math.min(this.#wanted, piece.length - at);
      if (GATHERED.has(this.#part)) this.#gather(piece, at, length);
      at += length;
      this.#wanted -= length;
      this.#offset += length;
      if (this.#wanted > 0) break;
      const wasMagic = this.#part === "magic";
      this.#finishPart();
      if (wasMagic && this.#inFrame()) {
        start = at - 4;
        if (start < 0) {
          parts.push(MAGIC_BYTES);
          start = at;
        }
      } else if (start >= 0 && !this.#inFrame()) {
        parts.push(piece.subarray(start, at));
        start = -1;
      }
    }
    if (start >= 0 && start < at) parts.push(piece.subarray(start, at));
    return parts;
  }

  /**
   * Ends the stream.
   * @throws SealrootError `corrupt` inside a frame, or when there was no frame at all
   */
  finish(): void {
    if (this.#part !== "magic" || this.#valueBytes > 0) {
      throw corrupt("Cannot decompress zstd data: unexpected end inside a frame", { offset: this.#offset });
    }
    if (this.#frames === 0) throw corrupt("Cannot decompress zstd data: it contains no frame");
  }

  #inFrame(): boolean {
    return this.#part !== "magic" && this.#part !== "skip-size" && this.#part !== "skip";
  }

  #gather(piece: Uint8Array, at: number, length: number): void {
    for (let i = 0; i < length; i++) {
      this.#value += (piece[at + i] as number) * 2 ** (8 * this.#valueBytes);
      this.#valueBytes += 1;
    }
  }

  #finishPart(): void {
    const value = this.#value;
    this.#value = 0;
    this.#valueBytes = 0;
    switch (this.#part) {
      case "magic":
        this.#magic(value);
        break;
      case "skip-size":
        this.#expect("skip", value);
        break;
      case "descriptor":
        this.#descriptor(value);
        break;
      case "header-rest":
        this.#expect("block-header", 3);
        break;
      case "block-header":
        this.#blockHeader(value);
        break;
      case "block":
        this.#afterBlock();
        break;
      default:
        this.#expect("magic", 4);
    }
  }

  /** Moves on; an empty part is finished at once. */
  #expect(part: Part, wanted: number): void {
    this.#part = part;
    this.#wanted = wanted;
    if (wanted === 0) this.#finishPart();
  }

  #magic(value: number): void {
    if (value === FRAME_MAGIC) {
      this.#frames += 1;
      this.#expect("descriptor", 1);
    } else if (value >= SKIPPABLE_MAGIC && value <= SKIPPABLE_MAGIC + 15) {
      this.#expect("skip-size", 4);
    } else {
      throw corrupt("Cannot decompress zstd data: no frame begins here", { offset: this.#offset - 4 });
    }
  }

  /** Frame header descriptor (RFC 8878, 3.1.1.1.1): says how long the rest of the header is. */
  #descriptor(value: number): void {
    if ((value & RESERVED_BIT) !== 0) {
      throw corrupt("Cannot decompress zstd data: reserved bit set in a frame header", { offset: this.#offset - 1 });
    }
    const singleSegment = (value & 0x20) !== 0;
    const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][value >> 6] ?? 0;
    const dictionaryIdBytes = [0, 1, 2, 4][value & 3] ?? 0;
    this.#hasChecksum = (value & 0x04) !== 0;
    this.#expect("header-rest", (singleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes);
  }

  /** Block header (RFC 8878, 3.1.1.2): last flag, type, size. */
  #blockHeader(value: number): void {
    const type = (value >> 1) & 3;
    const size = value >> 3;
    if (type === 3 || size > BLOCK_MAX_BYTES || (type === 2 && size < COMPRESSED_BLOCK_MIN_BYTES)) {
      throw corrupt("Cannot decompress zstd data: bad block header", { offset: this.#offset - 3 });
    }
    this.#lastBlock = (value & 1) === 1;
    // An RLE block carries one byte whatever its size.
    this.#expect("block", type === 1 ? 1 : size);
  }

  #afterBlock(): void {
    if (!this.#lastBlock) this.#expect("block-header", 3);
    else if (this.#hasChecksum) this.#expect("checksum", 4);
    else this.#expect("magic", 4);
  }
}
