/** The push parser of tar streams: keeps every byte, finds every entry (spec/oci.md 3). */
import type { ByteString } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { BodyMemory } from "./body-memory.ts";
import { OLD_SPARSE_FLAG, resolveEntry, type TarEntry } from "./entry.ts";
import { ExtensionHeaders } from "./extensions.ts";
import { BLOCK_BYTES, isZeroBlock, readHeader, type TarHeader } from "./header.ts";
import { type TarPlace, tarError } from "./place.ts";
import { PendingSparse, sparseEntry } from "./sparse-entry.ts";
import type { TarVisitor } from "./visitor.ts";

/**
 * Body of a global header or of an entry that is not a file. Nobody reads it, but it must be kept whole: without a
 * limit a small compressed layer could demand any amount of memory.
 */
const SKIPPED_BODY_MAX_BYTES = 16 << 20;

const NO_BYTES = new Uint8Array(0);

type State =
  | "header"
  /** Collecting the body of an x, L or K header. */
  | "extension"
  /** Collecting a block of a sparse file's regions. */
  | "sparse-block"
  /** Collecting the small body of a regular file. */
  | "small-body"
  /** A regular file's larger body has not begun; it may come as bytes or from outside. */
  | "large-body"
  | "streamed-body"
  /** Bytes nobody reads: bodies of other entries, padding. */
  | "skipped"
  | "end";

const GATHERING: ReadonlySet<State> = new Set(["header", "extension", "sparse-block", "small-body"]);

/**
 * Takes a tar stream in pieces of any size and reports every byte of it exactly once, as inline bytes or as a part
 * of a regular file's body; concatenated they are the stream.
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
  /** Holds what one state collects across pieces. */
  #gathered: Uint8Array = this.#headerBlock;
  #gatheredBytes = 0;
  /** Padding after the current body. */
  #paddingBytes = 0;
  #entry: TarEntry | undefined;
  /** For errors about what follows: the name of the last entry, and the size it states but does not have. */
  #lastPath: ByteString | undefined;
  #lastIgnoredBytes = 0;
  /** What comes next belongs to that entry. */
  #isInEntry = false;
  #extensionFlag = "";
  #extensions = new ExtensionHeaders();
  #sparse: PendingSparse | undefined;
  #zeroBlockSeen = false;
  readonly #bodyMemory = new BodyMemory();

  /** @param inlineMaxBytes regular files up to this size are reported whole, with their bytes left inline */
  constructor(visitor: TarVisitor, inlineMaxBytes: number) {
    this.#visitor = visitor;
    this.#inlineMaxBytes = inlineMaxBytes;
  }

  /** Bytes of the stream so far, including external bodies. */
  get streamBytes(): number {
    return this.#offset;
  }

  /** True when the body of a larger file comes next, which may be pushed or inserted. */
  get bodyIsDue(): boolean {
    return this.#state === "large-body";
  }

  /** True between two entries, when nothing is partially read. */
  get atEntryBoundary(): boolean {
    return this.#state === "end" || (this.#state === "header" && this.#gatheredBytes === 0 && this.#extensions.isEmpty);
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
      // A finished header announces its entry only now; the header's bytes must be reported first.
      if (this.#wanted === 0 && this.#state !== "end") {
        if (at > inlineStart) this.#visitor.inline(piece.subarray(inlineStart, at));
        inlineStart = at;
        this.#finishState(piece, at - length, length);
      }
    }
    if (at > inlineStart) this.#visitor.inline(piece.subarray(inlineStart, at));
  }

  /**
   * Inserts the body of the regular file whose header came last, as a reference to bytes kept elsewhere. @throws
   * SealrootError `corrupt` when no such body is due
   */
  pushExternal(reference: string): void {
    const entry = this.#entry;
    const due = this.#state === "large-body" || (this.#state === "small-body" && this.#gatheredBytes === 0);
    if (!due || entry === undefined) {
      throw tarError(this.#place(this.#offset), "an object is where no file body is due");
    }
    this.#visitor.entry(entry, { type: "external", reference });
    this.#offset += entry.storedBytes;
    this.#beginPadding();
  }

  /**
   * Ends the stream. An end at an entry boundary is fine, with or without the end marker.
   * @throws SealrootError `corrupt` inside an entry
   */
  finish(): void {
    if (this.atEntryBoundary) return;
    const path = this.#isInEntry && this.#state !== "header" ? this.#lastPath : undefined;
    throw tarError({ ...this.#place(this.#offset), path }, "unexpected end inside an entry");
  }

  /** Accounts for `length` bytes and collects them if the state needs them whole. */
  #take(piece: Uint8Array, at: number, length: number): void {
    this.#offset += length;
    if (this.#state === "end") return;
    this.#wanted -= length;
    const gathers = GATHERING.has(this.#state);
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
      case "sparse-block":
        this.#sparseBlock();
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

  /** A place before any entry has been read. */
  #place(offset: number): TarPlace {
    return { offset, after: this.#lastPath };
  }

  #header(block: Uint8Array, start: number): void {
    const headerOffset = this.#offset - BLOCK_BYTES;
    this.#isInEntry = false;
    if (isZeroBlock(block, start)) {
      this.#zeroBlock();
      return;
    }
    this.#zeroBlockSeen = false;
    const header = this.#readHeader(block, start, headerOffset);
    this.#paddingBytes = paddingOf(header.sizeBytes);
    const { typeFlag } = header;
    if (typeFlag === "g") {
      this.#visitor.globalHeader?.();
      this.#skipBody(header.sizeBytes, this.#place(headerOffset));
    } else if (typeFlag === "x" || typeFlag === "L" || typeFlag === "K") {
      this.#extensions.begin(typeFlag, header.sizeBytes, this.#place(headerOffset));
      this.#extensionFlag = typeFlag;
      this.#gather("extension", header.sizeBytes);
      if (header.sizeBytes === 0) this.#extension();
    } else {
      const old = typeFlag === OLD_SPARSE_FLAG ? block.subarray(start, start + BLOCK_BYTES) : undefined;
      this.#beginEntry(header, old, headerOffset);
    }
  }

  #readHeader(block: Uint8Array, start: number, headerOffset: number): TarHeader {
    try {
      return readHeader(block, start, { ...this.#place(headerOffset), path: this.#extensions.longPath });
    } catch (error) {
      // A header with a correct sum has a name.
      const isHeader = !(error instanceof SealrootError) || error.data.path !== undefined;
      if (this.#lastIgnoredBytes === 0 || isHeader) throw error;
      const reason = `no header follows, and entries of its type have no body, though it states ${this.#lastIgnoredBytes} bytes`;
      throw tarError({ offset: headerOffset, path: this.#lastPath }, reason);
    }
  }

  /** Two zero blocks in a row end the archive; a single one is skipped (POSIX.1-2017, pax; spec/oci.md 3). */
  #zeroBlock(): void {
    if (!this.#extensions.isEmpty) {
      throw tarError(this.#place(this.#offset), "extension headers without an entry after them");
    }
    if (this.#zeroBlockSeen) this.#state = "end";
    else this.#expectHeader();
    this.#zeroBlockSeen = true;
  }

  #extension(): void {
    const body = this.#gathered.subarray(0, this.#gatheredBytes);
    this.#extensions.end(this.#extensionFlag, body, this.#offset - body.length);
    this.#beginPadding();
  }

  /** @param oldSparse the header's block, if it is of the old form of sparse files */
  #beginEntry(header: TarHeader, oldSparse: Uint8Array | undefined, headerOffset: number): void {
    const extensions = this.#extensions.resolve(this.#place(headerOffset), header.path);
    const entry = resolveEntry(header, extensions, this.#place(headerOffset), this.#entry);
    const { pax } = extensions;
    this.#extensions = new ExtensionHeaders();
    this.#lastPath = entry.path;
    this.#isInEntry = true;
    this.#lastIgnoredBytes = (pax?.sizeBytes ?? header.sizeBytes) - entry.storedBytes;
    this.#paddingBytes = paddingOf(entry.storedBytes);
    const isFile = entry.kind === "file";
    const signs = { form: header.form, oldBlock: oldSparse, pax: pax?.sparse };
    const sparse = isFile ? sparseEntry(entry, signs, { offset: headerOffset, path: entry.path }) : entry;
    if (sparse instanceof PendingSparse) this.#gatherSparse(sparse);
    else this.#beginBody(sparse);
  }

  #gatherSparse(sparse: PendingSparse): void {
    this.#sparse = sparse;
    this.#gather("sparse-block", BLOCK_BYTES);
  }

  #sparseBlock(): void {
    const sparse = this.#sparse;
    if (sparse === undefined) return;
    const entry = sparse.addBlock(this.#gathered, this.#offset - BLOCK_BYTES);
    this.#sparse = undefined;
    if (entry === undefined) this.#gatherSparse(sparse);
    else this.#beginBody(entry);
  }

  #beginBody(entry: TarEntry): void {
    this.#entry = entry;
    if (entry.kind !== "file") {
      this.#visitor.entry(entry, { type: "inline", bytes: NO_BYTES });
      this.#skipBody(entry.storedBytes, { offset: entry.headerOffset, path: entry.path });
    } else if (entry.storedBytes === 0) {
      this.#visitor.entry(entry, { type: "inline", bytes: NO_BYTES });
      this.#expectHeader();
    } else if (entry.storedBytes <= this.#inlineMaxBytes) {
      this.#gather("small-body", entry.storedBytes);
    } else {
      this.#state = "large-body";
      this.#wanted = entry.storedBytes;
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

  /** Into memory that is not reused: a small body is passed on. */
  #gather(state: State, sizeBytes: number): void {
    this.#state = state;
    this.#gathered = state === "small-body" ? this.#bodyMemory.take(sizeBytes) : new Uint8Array(sizeBytes);
    this.#gatheredBytes = 0;
    this.#wanted = sizeBytes;
  }

  #skipBody(sizeBytes: number, place: TarPlace): void {
    if (sizeBytes > SKIPPED_BODY_MAX_BYTES) {
      const limit = `${sizeBytes} bytes of body for what is no file, over ${SKIPPED_BODY_MAX_BYTES}`;
      throw tarError(place, limit, {}, "unsupported");
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

function paddingOf(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}
