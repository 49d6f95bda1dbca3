/** Storing a tar layer in the repository: bodies become objects, the rest a split stream (spec/oci.md 3). */
import { corrupt } from "../../errors/index.ts";
import type { ObjectImporter, ObjectSink } from "../../objects/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { SplitStreamWriter } from "../../splitstream/index.ts";
import { type TarBody, type TarEntry, TarParser, type TarVisitor } from "../../tar/index.ts";
import { INLINE_CONTENT_MAX_BYTES } from "../../tree/index.ts";
import type { SparseData } from "./sparse-content.ts";
import { SparseImporter } from "./sparse-import.ts";

/** Bodies above this size are sent to the repository in parts instead of being collected. */
const GATHERED_MAX_BYTES = 512 << 10;

/** Memory for waiting bytes is allocated in this size. */
const COPIES_BYTES = 256 << 10;

/** Smaller cuts would move the rest of a long queue too often. */
const CUT_OFF_PARTS = 4096;

/**
 * Entries of one layer that are kept for making the tree; beyond that, reading the layer again is cheaper than the
 * memory.
 */
const ENTRIES_KEPT_MAX = 250_000;

/** An entry of the archive, and where its body is; never `streamed`. */
export interface ArchivedEntry {
  readonly entry: TarEntry;
  readonly body: TarBody;
}

/** What the stream consists of, in order; objects get their ids late. */
type Part =
  | { readonly type: "inline"; readonly bytes: Uint8Array }
  | { readonly type: "break" }
  | ({ readonly type: "entry" } & ArchivedEntry)
  | { readonly type: "object"; readonly entry: TarEntry; objectId: string | undefined }
  /** What becomes of the data of a sparse file, which precede it. */
  | { readonly type: "content"; readonly entry: TarEntry; body: TarBody | undefined };

/** A file body being stored. */
interface Body {
  readonly part: Extract<Part, { type: "object" }>;
  missingBytes: number;
  /** Larger bodies are passed on directly. */
  readonly sink: ObjectSink | undefined;
  /** Smaller ones wait in the splitter's own buffer if they arrive in several pieces. */
  isGathered: boolean;
}

/** Where the objects of a layer go. */
export interface SplitterPlace {
  readonly repository: Repository;
  readonly importer: ObjectImporter;
}

/**
 * Splits one tar stream. Push the uncompressed bytes; await {@link room} between pieces; then {@link finish}, or
 * {@link abort} after an error.
 *
 * Objects are hashed and written by workers while the next bytes are parsed, so their ids arrive late: what follows an
 * object without an id waits, which keeps the order of the stream.
 */
export class LayerSplitter {
  readonly #stream: SplitStreamWriter;
  readonly #importer: ObjectImporter;
  readonly #sparse: SparseImporter;
  readonly #parser: TarParser;
  #waiting: Part[] = [];
  /** Parts of `#waiting` that were already passed on; they are cut off in large pieces. */
  #passedParts = 0;
  #body: Body | undefined;
  /** Left by {@link pushObject} for the entry that the parser is about to report. */
  #object: { readonly objectId: Promise<string>; readonly sizeBytes: number } | undefined;
  #failure: unknown;
  /** Objects without an id yet, and whom to tell when none is left. */
  #unnamedObjects = 0;
  #allNamed: () => void = () => {};
  #inlineBytes = 0;
  /** For the copies of waiting bytes, back to back: separate memory for each would take twice as much. */
  #copies = Buffer.alloc(0);
  /** One for all bodies: the next begins when the previous one has been copied. */
  #gathered: Buffer | undefined;
  #entries: ArchivedEntry[] | undefined = [];

  /** @param limitBytes limit for the holes of the layer's sparse files */
  constructor(stream: SplitStreamWriter, { repository, importer }: SplitterPlace, limitBytes: number) {
    this.#stream = stream;
    this.#importer = importer;
    this.#sparse = new SparseImporter(repository, importer, limitBytes);
    const visitor: TarVisitor = {
      inline: (bytes) => this.#inline(bytes),
      entry: (entry, body) => this.#entry(entry, body),
      body: (bytes) => this.#bodyBytes(bytes),
    };
    this.#parser = new TarParser(visitor, INLINE_CONTENT_MAX_BYTES);
  }

  /** Bytes that stay in the stream itself. */
  get inlineBytes(): number {
    return this.#inlineBytes;
  }

  /** The entries passed on so far, in order; undefined if there are too many. */
  get entries(): readonly ArchivedEntry[] | undefined {
    return this.#entries;
  }

  /** @throws SealrootError for a bad tar stream, or what storing an earlier object threw */
  push(piece: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#parser.push(piece);
    if (this.#parser.atEntryBoundary) this.#append({ type: "break" });
  }

  /**
   * Inserts the body that is due as an object of the repository; the caller knows that it is the right one.
   * @throws SealrootError `corrupt` when no body is due; as {@link push}
   */
  pushStored(objectId: string): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#parser.pushExternal(objectId);
    this.#importer.statistics.presentObjects += 1;
  }

  /** True when the next bytes are the body of a file that becomes an object. */
  get bodyIsDue(): boolean {
    return this.#parser.bodyIsDue;
  }

  /**
   * Inserts the body that is due as an object that is still being stored.
   *
   * @param sizeBytes of the object; only the digest of the whole stream can tell that it is the body's
   * @throws SealrootError `corrupt` when no body of that size is due; as {@link push}
   */
  pushObject(objectId: Promise<string>, sizeBytes: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#object = { objectId, sizeBytes };
    // The id is not known yet; #entry() picks up what was left for it.
    this.#parser.pushExternal("");
  }

  /** Resolves when repository and compressor have caught up enough for more. */
  async room(): Promise<void> {
    await this.#importer.room();
    await this.#stream.drained();
    await this.#sparse.settled();
  }

  /** Ends the tar stream and waits for its objects; then all parts are in the split stream. */
  async finish(): Promise<void> {
    this.#parser.finish();
    if (this.#unnamedObjects > 0) await this.#importer.help(new Promise<void>((resolve) => (this.#allNamed = resolve)));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when no more of the layer is being stored. */
  async abort(): Promise<void> {
    this.#body?.sink?.abort();
    this.#body = undefined;
    await this.#sparse.abort();
  }

  #inline(bytes: Uint8Array): void {
    this.#inlineBytes += bytes.length;
    // The view is valid only during the call; only what must wait is copied.
    if (this.#waiting.length === 0) this.#stream.inline(bytes);
    else this.#waiting.push({ type: "inline", bytes: this.#copyOf(bytes) });
  }

  #copyOf(bytes: Uint8Array): Uint8Array {
    if (bytes.length > this.#copies.length) this.#copies = Buffer.allocUnsafeSlow(Math.max(COPIES_BYTES, bytes.length));
    const copy = this.#copies.subarray(0, bytes.length);
    copy.set(bytes);
    this.#copies = this.#copies.subarray(bytes.length);
    return copy;
  }

  #entry(entry: TarEntry, body: TarBody): void {
    const object = this.#object;
    if (body.type === "external" && object !== undefined) {
      this.#object = undefined;
      if (object.sizeBytes !== entry.storedBytes) {
        const sizes = `an object of ${object.sizeBytes} bytes for a body of ${entry.storedBytes}`;
        throw corrupt(`Cannot read tar stream: ${sizes}`, { path: entry.path, offset: entry.headerOffset });
      }
      const part = { type: "object" as const, entry, objectId: undefined };
      this.#waiting.push(part);
      this.#name(part, object.objectId);
      return;
    }
    if (body.type === "external") {
      this.#append({ type: "object", entry, objectId: body.reference });
      if (entry.sparse !== undefined) this.#content(entry, Promise.resolve(body));
      return;
    }
    if (body.type !== "streamed") {
      if (entry.sparse !== undefined) this.#content(entry, Promise.resolve(body));
      else if (this.#waiting.length === 0) this.#keepEntry(entry, body);
      else this.#waiting.push({ type: "entry", entry, body });
      return;
    }
    const part = { type: "object" as const, entry, objectId: undefined };
    this.#waiting.push(part);
    const sink = entry.storedBytes > GATHERED_MAX_BYTES ? this.#importer.open() : undefined;
    this.#body = { part, missingBytes: entry.storedBytes, sink, isGathered: false };
  }

  #bodyBytes(bytes: Uint8Array): void {
    const body = this.#body;
    if (body === undefined) return;
    const isWhole = bytes.length === body.part.entry.storedBytes;
    if (body.sink !== undefined) {
      body.sink.write(bytes);
    } else if (!isWhole) {
      body.isGathered = true;
      this.#gathered ??= Buffer.allocUnsafe(GATHERED_MAX_BYTES);
      this.#gathered.set(bytes, body.part.entry.storedBytes - body.missingBytes);
    }
    body.missingBytes -= bytes.length;
    if (body.missingBytes > 0) return;
    this.#body = undefined;
    const whole = body.isGathered ? this.#gathered?.subarray(0, body.part.entry.storedBytes) : bytes;
    this.#name(body.part, body.sink?.finish() ?? this.#importer.add(whole ?? bytes));
  }

  /** Enters the object's id when it is known; a sparse file's content follows its data. */
  #name(part: Body["part"], objectId: Promise<string>): void {
    this.#await(objectId, (id) => (part.objectId = id));
    if (part.entry.sparse === undefined) return;
    this.#content(
      part.entry,
      objectId.then((reference) => ({ type: "external", reference })),
    );
  }

  #content(entry: TarEntry, data: Promise<SparseData>): void {
    const part: Part = { type: "content", entry, body: undefined };
    this.#waiting.push(part);
    this.#await(this.#sparse.add(entry, data), (body) => (part.body = body));
  }

  /** What waited for the result is then passed on. */
  #await<Result>(result: Promise<Result>, enter: (result: Result) => void): void {
    this.#unnamedObjects += 1;
    result
      .then(
        (value) => {
          enter(value);
          this.#passOn();
        },
        (error) => {
          this.#failure ??= error;
        },
      )
      .finally(() => {
        this.#unnamedObjects -= 1;
        if (this.#unnamedObjects === 0) this.#allNamed();
      });
  }

  #append(part: Part): void {
    this.#waiting.push(part);
    this.#passOn();
  }

  #passOn(): void {
    for (; this.#passedParts < this.#waiting.length; this.#passedParts++) {
      const part = this.#waiting[this.#passedParts];
      if (part === undefined || !isReady(part)) break;
      this.#passOnPart(part);
    }
    if (this.#passedParts === this.#waiting.length || this.#passedParts >= CUT_OFF_PARTS) {
      this.#waiting = this.#waiting.slice(this.#passedParts);
      this.#passedParts = 0;
    }
  }

  #passOnPart(part: Part): void {
    if (part.type === "inline") this.#stream.inline(part.bytes);
    else if (part.type === "break") this.#stream.mayBreak();
    else if (part.type === "entry") this.#keepEntry(part.entry, part.body);
    else if (part.type === "object") {
      const { entry, objectId } = part;
      if (objectId === undefined) throw new Error("unreachable: an object is passed on when it has its id");
      this.#stream.external(objectId, entry.storedBytes);
      if (entry.sparse === undefined) this.#keepEntry(entry, { type: "external", reference: objectId });
    } else if (part.body !== undefined) {
      if (part.body.type === "external") this.#stream.reference(part.body.reference);
      // The list of regions may be long, and is no longer needed.
      this.#keepEntry({ ...part.entry, storedBytes: part.entry.sizeBytes, sparse: undefined }, part.body);
    }
  }

  #keepEntry(entry: TarEntry, body: TarBody): void {
    this.#entries?.push({ entry, body });
    if ((this.#entries?.length ?? 0) > ENTRIES_KEPT_MAX) this.#entries = undefined;
  }
}

function isReady(part: Part): boolean {
  if (part.type === "object") return part.objectId !== undefined;
  return part.type !== "content" || part.body !== undefined;
}
