/** Making a tar out of a tar-diff and the files of an older tree. What comes out is proven by its digest elsewhere. */
import { corrupt, SealrootError } from "../errors/index.ts";
import { unzstdWithDictionary } from "../zstd/index.ts";
import { readTarDiff, type TarDiffOperation } from "./operations.ts";

/** A file of the older tree. */
export interface SourceFile extends Disposable {
  readonly sizeBytes: number;
  /** The bytes `start..end` (half-open, inside the file); valid until the next are read. */
  read(start: number, end: number): Uint8Array;
}

export interface TarDiffSource {
  /**
   * @param path in the tree, without a leading slash and without `.` and `..`
   * @throws SealrootError when the tree has no such file
   */
  open(path: string): SourceFile;
}

export interface ApplyOptions {
  /** More output is refused. */
  readonly maxOutputBytes: number;
}

/** As in the reference implementation (tar-patch, maxFilenameSize). */
const PATH_MAX_BYTES = 4096;
const PIECE_BYTES = 1 << 20;
/** Operations that make nothing come in twos: a file is opened, a place in it is sought. */
const IDLE_MAX = 64;
/** A dictionary is in memory, and so is the window of its frame, which has the same limit (2^27). */
const DICTIONARY_MAX_BYTES = 128 << 20;
/** The stream of operations may be longer than what they make by this: names of files, and sizes. */
const OVERHEAD_BYTES = 64 << 20;

/**
 * The tar, in pieces that are valid until the next is requested.
 *
 * @throws SealrootError `corrupt` for operations that lead outside the files or mean nothing, `unsupported` for a
 *   dictionary or an output that is too large; what the source throws
 */
export async function* applyTarDiff(
  blob: AsyncIterable<Uint8Array>,
  source: TarDiffSource,
  { maxOutputBytes }: ApplyOptions,
): AsyncGenerator<Uint8Array> {
  using patch = new Patch(source);
  let outputBytes = 0;
  let idle = 0;
  for await (const operation of readTarDiff(blob, { maxBytes: maxOutputBytes + OVERHEAD_BYTES })) {
    const before = outputBytes;
    for await (const piece of patch.apply(operation, maxOutputBytes - outputBytes)) {
      outputBytes += piece.length;
      if (outputBytes > maxOutputBytes) throw tooLong(maxOutputBytes);
      if (piece.length > 0) yield piece;
    }
    idle = outputBytes > before ? 0 : idle + 1;
    if (idle > IDLE_MAX) throw refused(operation, `more than ${IDLE_MAX} operations in a row make nothing`);
  }
}

class Patch implements Disposable {
  readonly #source: TarDiffSource;
  #file: SourceFile | undefined;
  #at = 0;

  constructor(source: TarDiffSource) {
    this.#source = source;
  }

  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
  }

  async *apply(operation: TarDiffOperation, roomBytes: number): AsyncGenerator<Uint8Array> {
    const { kind, size, data } = operation;
    switch (kind) {
      case "data":
        yield* data;
        break;
      case "open":
        await this.#open(operation);
        break;
      case "copy":
        for (let left = size; left > 0; ) {
          const piece = this.#read(operation, Math.min(left, PIECE_BYTES), left);
          left -= piece.length;
          yield piece;
        }
        break;
      case "add":
        yield* this.#add(operation);
        break;
      case "seek": {
        const { sizeBytes } = this.#opened(operation);
        if (size > sizeBytes) throw refused(operation, `it leads to ${size} in a file of ${sizeBytes} bytes`);
        this.#at = size;
        break;
      }
      case "patch":
        yield* this.#decode(operation, roomBytes);
        break;
    }
  }

  async #open(operation: TarDiffOperation): Promise<void> {
    const { size, data } = operation;
    if (size > PATH_MAX_BYTES) throw refused(operation, `the name of a file has ${size} bytes`);
    const bytes: Uint8Array[] = [];
    for await (const piece of data) bytes.push(Uint8Array.from(piece));
    // Names are bytes; each is a character here.
    const parts = Buffer.concat(bytes).toString("latin1").split("/");
    const names = parts.filter((part) => part !== "" && part !== ".");
    if (names.length === 0 || names.includes("..") || names.some((name) => name.includes("\0"))) {
      throw refused(operation, "the name of a file leads outside the image");
    }
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
    this.#file = this.#source.open(names.join("/"));
    this.#at = 0;
  }

  async *#add(operation: TarDiffOperation): AsyncGenerator<Uint8Array> {
    let left = operation.size;
    for await (const piece of operation.data) {
      for (let at = 0; at < piece.length; ) {
        const old = this.#read(operation, Math.min(piece.length - at, PIECE_BYTES), left);
        const sum = Buffer.allocUnsafe(old.length);
        for (let index = 0; index < old.length; index++) sum[index] = (old[index] ?? 0) + (piece[at + index] ?? 0);
        at += old.length;
        left -= old.length;
        yield sum;
      }
    }
  }

  async *#decode(operation: TarDiffOperation, roomBytes: number): AsyncGenerator<Uint8Array> {
    const file = this.#opened(operation);
    if (file.sizeBytes > DICTIONARY_MAX_BYTES) {
      throw new SealrootError(
        "unsupported",
        `Cannot apply the tar-diff: a file of ${file.sizeBytes} bytes is too large for a dictionary`,
        {
          expected: `at most ${DICTIONARY_MAX_BYTES} bytes`,
          hint: "upgrade from the registry, or make the delta without zstd patches of such files",
        },
      );
    }
    const dictionary = Buffer.allocUnsafe(file.sizeBytes);
    for (let at = 0; at < dictionary.length; ) {
      const piece = file.read(at, Math.min(at + PIECE_BYTES, dictionary.length));
      dictionary.set(piece, at);
      at += piece.length;
    }
    yield* unzstdWithDictionary(operation.data, dictionary, { maxOutputBytes: roomBytes });
  }

  /** @param wholeBytes of the operation, all of which the file must have */
  #read(operation: TarDiffOperation, sizeBytes: number, wholeBytes: number): Uint8Array {
    const file = this.#opened(operation);
    if (this.#at + wholeBytes > file.sizeBytes) {
      throw refused(operation, `it reads up to ${this.#at + wholeBytes} in a file of ${file.sizeBytes} bytes`);
    }
    const piece = file.read(this.#at, this.#at + sizeBytes);
    this.#at += piece.length;
    return piece;
  }

  #opened(operation: TarDiffOperation): SourceFile {
    if (this.#file !== undefined) return this.#file;
    throw refused(operation, "no file is open");
  }
}

function refused({ kind, offset }: TarDiffOperation, reason: string): SealrootError {
  return corrupt(`Cannot apply the tar-diff: operation "${kind}": ${reason}`, { offset });
}

function tooLong(limitBytes: number): SealrootError {
  return new SealrootError("unsupported", `Cannot apply the tar-diff: more than ${limitBytes} bytes come out`, {
    expected: `at most ${limitBytes} bytes`,
  });
}
