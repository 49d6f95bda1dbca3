/**
 * The content of a sparse file: its holes filled with zeros. A layer's stream keeps the data as they are in the tar, so
 * the tar comes out as it went in; the content is a separate object, to which the stream also refers.
 */
import { corrupt } from "../../errors/index.ts";
import type { Repository } from "../../repository/index.ts";
import { SparseExpander, type TarBody, type TarEntry } from "../../tar/index.ts";
import { type FileContent, INLINE_CONTENT_MAX_BYTES, quotePath } from "../../tree/index.ts";
import { VerityHasher } from "../../verity/index.ts";

/** The stored data: in the stream, or an object. */
export type SparseData = Extract<TarBody, { type: "inline" | "external" }>;

/**
 * The content of a sparse entry in pieces, each valid until the next is requested.
 * @throws SealrootError when the object of the data cannot be read
 */
export function* expandedPieces(repository: Repository, entry: TarEntry, data: SparseData): Generator<Uint8Array> {
  if (entry.sparse === undefined) throw new TypeError("not a sparse entry");
  const expander = new SparseExpander(entry.sparse);
  if (data.type === "inline") yield* expander.push(data.bytes);
  else {
    using object = repository.objects.open(data.reference);
    for (const chunk of object.chunks()) yield* expander.push(chunk);
  }
  yield* expander.finish();
}

/** The content if it is small enough to be kept in the image; undefined if it is an object. */
export function inlineContent(
  repository: Repository,
  entry: TarEntry,
  data: SparseData,
): Extract<FileContent, { type: "inline" }> | undefined {
  if (entry.sizeBytes > INLINE_CONTENT_MAX_BYTES) return undefined;
  return { type: "inline", bytes: new Uint8Array(Buffer.concat([...expandedPieces(repository, entry, data)])) };
}

/** The contents of the sparse files of one layer that is in the repository. */
export class StoredSparseContents {
  readonly #repository: Repository;
  readonly #objectRefs: readonly string[];
  #sizesBytes: ReadonlySet<number> | undefined;

  /** @param objectRefs of the layer's stream */
  constructor(repository: Repository, objectRefs: readonly string[]) {
    this.#repository = repository;
    this.#objectRefs = objectRefs;
  }

  /**
   * Finds the content again, by its digest.
   * @throws SealrootError `corrupt` when the stream does not refer to it, as when another program wrote it
   */
  find(entry: TarEntry, data: SparseData): TarBody {
    const inline = inlineContent(this.#repository, entry, data);
    if (inline !== undefined) return inline;
    // Checked first: otherwise a few bytes could demand any number of zeros to be hashed.
    if (!this.#sizes().has(entry.sizeBytes)) throw this.#missing(entry);
    const hasher = new VerityHasher(this.#repository.algorithm);
    for (const piece of expandedPieces(this.#repository, entry, data)) hasher.update(piece);
    const reference = hasher.hexDigest();
    if (!this.#objectRefs.includes(reference)) throw this.#missing(entry);
    return { type: "external", reference };
  }

  #sizes(): ReadonlySet<number> {
    const { objects } = this.#repository;
    this.#sizesBytes ??= new Set(this.#objectRefs.filter((id) => objects.has(id)).map((id) => objects.sizeBytes(id)));
    return this.#sizesBytes;
  }

  #missing(entry: TarEntry) {
    const what = `Cannot use layer entry ${quotePath(entry.path)}: its stream does not refer to the content of this sparse file`;
    return corrupt(what, { path: entry.path, offset: entry.headerOffset });
  }
}
