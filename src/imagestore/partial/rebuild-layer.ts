/** Storing a layer's tar in the repository, rebuilt from tar-split data and bodies (spec/chunked-and-policy.md 1.5). */
import type { ByteString } from "../../bytes/index.ts";
import type { TocContent } from "../../chunked/index.ts";
import type { Layer } from "../layer/layer.ts";
import type { StoredLayer } from "../layer/layer-context.ts";
import { LayerSink } from "../layer/layer-sink.ts";
import type { FetchContext } from "./fetch-context.ts";
import { sha256Hex } from "./fetch-plan.ts";
import type { FetchedTable } from "./fetch-table.ts";
import { fetchedBody, localBody } from "./file-bodies.ts";
import type { LocalContent } from "./file-list.ts";
import { PullWhole } from "./not-partial.ts";
import type { RangeReader } from "./range-reader.ts";

/** Where the parts of the layer come from. */
export interface LayerParts {
  readonly table: FetchedTable;
  /** Contents of the repository by their sha256 in hex. */
  readonly local: ReadonlyMap<string, LocalContent>;
  /** The contents that are not local, in the order of the tar. */
  readonly reader: RangeReader;
}

/**
 * Stores the tar, entry by entry. The tree of a layer comes from the tar's headers, never from the table.
 *
 * @param onPlace called with the offset in the blob up to which the layer is rebuilt
 * @throws SealrootError `corrupt` when a body or the whole tar does not have its digest, `unsupported` when it unpacks
 *   to too much; PullWhole
 */
export async function rebuildLayer(
  context: FetchContext,
  layer: Layer,
  parts: LayerParts,
  onPlace: (offset: number) => void,
): Promise<StoredLayer> {
  const sink = new LayerSink(context, layer);
  const tar = new RebuiltTar(context, sink);
  const contents = contentsByName(parts.table);
  try {
    for await (const part of parts.table.tarSplit()) {
      context.signal.throwIfAborted();
      if (part.type === "bytes") await tar.bytes(part.bytes);
      else if (part.sizeBytes > 0) {
        const content = contents.get(part.name);
        if (content === undefined) throw new PullWhole("a file has no content in the table");
        const local = parts.local.get(sha256Hex(content.digest));
        if (local === undefined) await tar.fetchedFile(fetchedBody(parts.reader, content, part.name));
        else await tar.localFile(local, content.digest);
        onPlace(content.chunks.at(-1)?.end ?? 0);
      }
    }
    return await sink.finish("the tar (rebuilt from its table of contents)");
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

function contentsByName({ toc }: FetchedTable): Map<ByteString, TocContent> {
  const contents = new Map<ByteString, TocContent>();
  for (const { name, content } of toc.entries) if (content !== undefined) contents.set(name, content);
  return contents;
}

/** Hashes every byte of the tar; passes on what the repository lacks. */
class RebuiltTar {
  readonly #context: FetchContext;
  readonly #sink: LayerSink;

  constructor(context: FetchContext, sink: LayerSink) {
    this.#context = context;
    this.#sink = sink;
  }

  async bytes(bytes: Uint8Array): Promise<void> {
    this.#sink.push(bytes);
    await this.#sink.room();
  }

  async fetchedFile(body: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of body) await this.bytes(piece);
  }

  /** An object's content is read only for its digests. */
  async localFile(local: LocalContent, digest: string): Promise<void> {
    for await (const piece of localBody(this.#context.repository, local, digest)) {
      if (local.type === "bytes") await this.bytes(piece);
      else this.#sink.measure(piece);
    }
    if (local.type === "object") this.#sink.pushStored(local.objectId);
  }
}
