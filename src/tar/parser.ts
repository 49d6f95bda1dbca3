/** The push parser of tar streams: keeps every byte, finds every entry (spec/oci.md 3). */
import { byteString } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type Extensions, resolveEntry, type TarEntry } from "./entry.ts";
import { BLOCK_BYTES, isZeroBlock, readHeader, type TarHeader } from "./header.ts";
import { readPax, sparseUnsupported } from "./pax.ts";

/** All extension headers of one entry together (spec/oci.md 3, limits). */
export const EXTENSION_MAX_BYTES = 1 << 20;
/** Extension headers of one entry. */
export const EXTENSION_MAX_COUNT = 16;

/**
 * Body of a global header or of an entry that is no file. Nobody looks at it, but it must be kept, and whoever keeps it
 * may not cut it: without a limit a small compressed layer could ask for any amount of memory.
 */
export const SKIPPED_BODY_MAX_BYTES = 16 << 20;

/** Where the body of an entry is. */
export type TarBody =
  /** Bytes that were also given to `inline`: a body of up to `inlineMaxBytes`, or none. The view may be kept. */
  | { readonly type: "inline"; readonly bytes: Uint8Array }
  /** `sizeBytes` of them follow through `body`. */
  | { readonly type: "streamed" }
  /** It was put in by {@link TarParser.pushExternal}. */
  | { readonly type: "external"; readonly reference: string };

/** Receives what the parser finds, in stream order. Views are valid during the call only, unless said otherwise. */
export interface TarVisitor {
  /** Bytes that belong to the stream but to no streamed body: headers, small bodies, padding, end and what follows it. */
  inline(bytes: Uint8Array): void;
  /** The next entry; called as soon as the place of its body is known. */
  entry(entry: TarEntry, body: TarBody): void;
  /** The next part of the last entry's streamed body. */
  body(bytes: Uint8Array): void;
  /** A PAX global header, which is kept and not applied. */
  globalHeader?(): void;
}

const NO_BYTES = new Uint8Array(0);

type State =
  | "header"
  /** Gathering the body of an x, L or K header. */
  | "extension"
  /** Gathering the small body of a regular file. */
  | "small-body"
  /** A regular file's larger body has not begun; it may come as bytes or from outside. */
  | "large-body"
  | "streamed-body"
  /** Bytes nobody looks at: bodies of other entries, padding. */
  | "skipped"
  | "end";

/**
 * Takes a tar stream in pieces of any size and reports every byte of it exactly once, as inline bytes or as a part
 * of a regular file's body; concatenated again they are the stream.
 */
export class TarParser {
  readonly #visitor: TarVisitor;
  readonly #inlineMaxBytes: number;
  #state: State = "header";
  /** Stream offset of the next byte. */
  #offset = 0;
  /** Bytes of the current state still to come. */
  #wanted = BLOCK_BYTES;
  readonly #headerBlock = new Uint8Array(BLOCK_BYTES);
  /** Holds what one state gathers across pieces. */
  #gathered: Uint8Array = this.#headerBlock;
  #gatheredBytes = 0;
  /** Padding behind the current body. */
  #paddingBytes = 0;
  #entry: TarEntry | undefined;
  #extensionFlag = "";
  #extensions: Extensions = {};
  #extensionCount = 0;
  #extensionBytes = 0;
  #zeroBlockSeen = false;

  /** @param inlineMaxBytes regular files up to this size are reported whole, with their bytes left inline */
  constructor(visitor: TarVisitor, inlineMaxBytes: number) {
    this.#visitor = visitor;
    this.#inlineMaxBytes = inlineMaxBytes;
  }

  /** Bytes of the stream so far, those of external bodies included. */
  get streamBytes(): number {
    return this.#offset;
  }

  /** True when the next thing is the body of a larger file, which may be given or put in. */
  get bodyIsDue(): boolean {
    return this.#state === "large-body";
  }

  /** True between two entries, where nothing is half read. */
  get atEntryBoundary(): boolean {
    return (
      this.#state === "end" || (this.#state === "header" && this.#gatheredBytes === 0 && this.#extensionCount === 0)
    );
  }

  /**
   * Takes the next piece.
   * @throws SealrootError `corrupt` or `unsupported`, with the offset in the stream
   */
  push(piece: Uint8Array): void {
    let inlineStart = 0;
    let at = 0;
    while (at < piece.length) {
      if (this.#state === "large-body") this.#beginStreamedBody();
      const streamed = this.#state === "streamed-body";
      const length = this.#state === "end" ? piece.length - at : Math.min(this.#wanted, piece.length - at);
      if (streamed) {
        if (at > inlineStart) this.#visitor.inline(piece.subarray(inlineStart, at));
        this.#visitor.body(piece.subarray(at, at + length));
        inlineStart = at + length;
      }
      this.#take(piece, at, length);
      at += length;
      // A finished header announces its entry only now; the header's bytes must have been reported by then.
      if (this.#wanted === 0 && this.#state !== "end") {
        if (at > inlineStart) this.#visitor.inline(piece.subarray(inlineStart, at));
        inlineStart = at;
        this.#finishState(piece, at - length, length);
      }
    }
    if (at > inlineStart) this.#visitor.inline(piece.subarray(inlineStart, at));
  }

  /**
   * Puts in the body of the regular file whose header came last, as a reference to bytes kept elsewhere.
   * @throws SealrootError `corrupt` where no such body is due
   */
  pushExternal(reference: string): void {
    const entry = this.#entry;
    const due = this.#state === "large-body" || (this.#state === "small-body" && this.#gatheredBytes === 0);
    if (!due || entry === undefined) {
      throw corrupt("Cannot read tar stream: an object stands where no file body is due", { offset: this.#offset });
    }
    this.#visitor.entry(entry, { type: "external", reference });
    this.#offset += entry.sizeBytes;
    this.#beginPadding();
  }

  /**
   * Ends the stream. An end at an entry boundary is fine, with or without the end marker.
   * @throws SealrootError `corrupt` inside an entry
   */
  finish(): void {
    if (this.atEntryBoundary) return;
    throw corrupt("Cannot read tar stream: unexpected end inside an entry", { offset: this.#offset });
  }

  /** Accounts for `length` bytes and gathers them where the state needs them whole. */
  #take(piece: Uint8Array, at: number, length: number): void {
    this.#offset += length;
    if (this.#state === "end") return;
    this.#wanted -= length;
    const gathers = this.#state === "header" || this.#state === "extension" || this.#state === "small-body";
    const wholeHeaderInPiece = this.#state === "header" && length === BLOCK_BYTES;
    if (!gathers || wholeHeaderInPiece) return;
    this.#gathered.set(piece.subarray(at, at + length), this.#gatheredBytes);
    this.#gatheredBytes += length;
  }

  #finishState(piece: Uint8Array, at: number, length: number): void {
    switch (this.#state) {
      case "header":
        if (length === BLOCK_BYTES) this.#header(piece, at);
        else this.#header(this.#gathered, 0);
        break;
      case "extension":
        this.#extension();
        break;
      case "small-body":
        this.#reportSmallBody();
        break;
      case "streamed-body":
        this.#beginPadding();
        break;
      default:
        this.#expectHeader();
    }
  }

  #header(block: Uint8Array, start: number): void {
    const headerOffset = this.#offset - BLOCK_BYTES;
    if (isZeroBlock(block, start)) {
      this.#zeroBlock();
      return;
    }
    this.#zeroBlockSeen = false;
    const header = readHeader(block, start, headerOffset);
    this.#paddingBytes = (BLOCK_BYTES - (header.sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    if (header.typeFlag === "g") {
      this.#visitor.globalHeader?.();
      this.#skipBody(header.sizeBytes, headerOffset);
    } else if (header.form !== "v7" && "xLK".includes(header.typeFlag)) this.#beginExtension(header, headerOffset);
    else if (header.form !== "v7" && header.typeFlag === "S") throw sparseUnsupported(headerOffset);
    else this.#beginEntry(header, headerOffset);
  }

  /** Two zero blocks in a row end the archive; a single one is skipped (POSIX.1-2017, pax; spec/oci.md 3). */
  #zeroBlock(): void {
    if (this.#extensionCount > 0) {
      throw corrupt("Cannot read tar stream: extension headers without an entry behind them", { offset: this.#offset });
    }
    if (this.#zeroBlockSeen) this.#state = "end";
    else this.#expectHeader();
    this.#zeroBlockSeen = true;
  }

  #beginExtension(header: TarHeader, headerOffset: number): void {
    const refuse = (reason: string) => corrupt(`Cannot read tar stream: ${reason}`, { offset: headerOffset });
    const { pax, longPath, longLink } = this.#extensions;
    const known = { x: pax, L: longPath, K: longLink }[header.typeFlag];
    if (known !== undefined) throw refuse(`two "${header.typeFlag}" headers for one entry`);
    this.#extensionCount += 1;
    this.#extensionBytes += header.sizeBytes;
    if (this.#extensionCount > EXTENSION_MAX_COUNT) throw refuse(`more than ${EXTENSION_MAX_COUNT} extension headers`);
    if (this.#extensionBytes > EXTENSION_MAX_BYTES) {
      throw refuse(`extension headers of one entry exceed ${EXTENSION_MAX_BYTES} bytes`);
    }
    this.#extensionFlag = header.typeFlag;
    this.#gather("extension", header.sizeBytes);
    if (header.sizeBytes === 0) this.#extension();
  }

  #extension(): void {
    const body = this.#gathered.subarray(0, this.#gatheredBytes);
    if (this.#extensionFlag === "x") {
      this.#extensions.pax = readPax(body, this.#offset - body.length);
    } else {
      // One closing NUL belongs to the header, not to the name (spec/oci.md 3).
      const text = byteString(body, 0, body.at(-1) === 0 ? body.length - 1 : body.length);
      if (this.#extensionFlag === "L") this.#extensions.longPath = text;
      else this.#extensions.longLink = text;
    }
    this.#beginPadding();
  }

  #beginEntry(header: TarHeader, headerOffset: number): void {
    const entry = resolveEntry(header, this.#extensions, headerOffset);
    this.#entry = entry;
    this.#extensions = {};
    this.#extensionCount = 0;
    this.#extensionBytes = 0;
    this.#paddingBytes = (BLOCK_BYTES - (entry.sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    if (entry.kind !== "file") {
      this.#visitor.entry(entry, { type: "inline", bytes: NO_BYTES });
      this.#skipBody(entry.sizeBytes, headerOffset);
    } else if (entry.sizeBytes === 0) {
      this.#visitor.entry(entry, { type: "inline", bytes: NO_BYTES });
      this.#expectHeader();
    } else if (entry.sizeBytes <= this.#inlineMaxBytes) {
      this.#gather("small-body", entry.sizeBytes);
    } else {
      this.#state = "large-body";
      this.#wanted = entry.sizeBytes;
    }
  }

  #reportSmallBody(): void {
    const entry = this.#entry;
    if (entry !== undefined) this.#visitor.entry(entry, { type: "inline", bytes: this.#gathered });
    this.#beginPadding();
  }

  #beginStreamedBody(): void {
    const entry = this.#entry;
    if (entry !== undefined) this.#visitor.entry(entry, { type: "streamed" });
    this.#state = "streamed-body";
  }

  /** Fresh memory each time: a small body is handed on. */
  #gather(state: State, sizeBytes: number): void {
    this.#state = state;
    this.#gathered = new Uint8Array(sizeBytes);
    this.#gatheredBytes = 0;
    this.#wanted = sizeBytes;
  }

  #skipBody(sizeBytes: number, headerOffset: number): void {
    if (sizeBytes > SKIPPED_BODY_MAX_BYTES) {
      const limit = `${sizeBytes} bytes of body for what is no file, over ${SKIPPED_BODY_MAX_BYTES}`;
      throw new SealrootError("unsupported", `Cannot read tar stream: ${limit}`, { offset: headerOffset });
    }
    this.#skip(sizeBytes + this.#paddingBytes);
  }

  #skip(sizeBytes: number): void {
    this.#state = "skipped";
    this.#wanted = sizeBytes;
    if (sizeBytes === 0) this.#expectHeader();
  }

  #beginPadding(): void {
    this.#skip(this.#paddingBytes);
  }

  #expectHeader(): void {
    this.#gathered = this.#headerBlock;
    this.#state = "header";
    this.#gatheredBytes = 0;
    this.#wanted = BLOCK_BYTES;
  }
}
