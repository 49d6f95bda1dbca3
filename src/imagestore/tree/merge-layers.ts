/** The root file system's tree, rebuilt from the layers in the repository (spec/oci.md 4). */
import { corrupt, SealrootError } from "../../errors/index.ts";
import { inLayer, type LayerPlace } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import { readChunks, readSplitStream } from "../../splitstream/index.ts";
import { type TarBody, type TarEntry, TarParser } from "../../tar/index.ts";
import {
  applyLayerEntry,
  type DirectoryNode,
  INLINE_PARSE_MAX_BYTES,
  type LayerEntry,
  newDirectory,
} from "../../tree/index.ts";
import type { ArchivedEntry } from "../layer/layer-splitter.ts";
import { StoredSparseContents } from "../layer/sparse-content.ts";
import type { StoredLayerRef } from "../stored-image.ts";
import { CONTENT_TYPE } from "../stream-names.ts";
import { layerEntry } from "./layer-entries.ts";

/** A body that another writer left in the stream is read up to this size; no image could hold a larger one. */
const INLINE_READ_MAX_BYTES = INLINE_PARSE_MAX_BYTES.c;
/** Headers and small bodies of all layers of an image: three million files have about this much. */
const LAYERS_INLINE_MAX_BYTES = 2 ** 32;

/** Watches layers being merged. */
export interface MergeObserver {
  beginLayer(place: LayerPlace): void;
  /** Called before the entry is applied to the tree so far. */
  entry(root: DirectoryNode, entry: LayerEntry): void;
}

/**
 * Merges the layers of an image, lowest first. No transform is applied yet.
 *
 * @param layers one for each diff id, in order
 * @param fetched entries of layers that were just fetched and need not be read again, by the same ids. They are
 *   consumed: their nodes become the tree's
 * @param observer told of every entry
 * @throws SealrootError `corrupt` for a layer that does not fit those below it, `unsupported` for layers whose entries
 *   alone are over 4 GiB: a few bytes can unpack to that
 */
export async function mergeLayers(
  repository: Repository,
  layers: readonly StoredLayerRef[],
  fetched: Map<string, readonly ArchivedEntry[]> = new Map(),
  observer?: MergeObserver,
): Promise<DirectoryNode> {
  const root = newDirectory();
  let inlineBytes = 0;
  for (const { layerId, place } of layers) {
    const entries = fetched.get(layerId);
    fetched.delete(layerId);
    observer?.beginLayer(place);
    const apply = (entry: TarEntry, body: TarBody) => applyEntry(root, entry, body, observer);
    try {
      if (entries !== undefined) for (const { entry, body } of entries) apply(entry, body);
      else inlineBytes += await applyLayer(repository, layerId, apply, LAYERS_INLINE_MAX_BYTES - inlineBytes);
    } catch (error) {
      throw inLayer(place, error);
    }
  }
  return root;
}

/** @throws SealrootError with the place in the tar */
function applyEntry(root: DirectoryNode, entry: TarEntry, body: TarBody, observer: MergeObserver | undefined): void {
  try {
    const made = layerEntry(entry, body);
    observer?.entry(root, made);
    applyLayerEntry(root, made);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    throw new SealrootError(error.code, error.message, { offset: entry.headerOffset, ...error.data }, error);
  }
}

/** @returns how many bytes of the layer are not in objects; at most `inlineMaxBytes` */
async function applyLayer(
  repository: Repository,
  layerId: string,
  apply: (entry: TarEntry, body: TarBody) => void,
  inlineMaxBytes: number,
): Promise<number> {
  const stream = readSplitStream(repository.objects.read(layerId), {
    algorithm: repository.algorithm,
    contentType: CONTENT_TYPE.layer,
  });
  const sparse = new StoredSparseContents(repository, stream.objectRefs);
  const parser = new TarParser(
    {
      inline: () => {},
      entry: (entry, body) => {
        const isSparse = entry.sparse !== undefined && body.type !== "streamed";
        apply(entry, isSparse ? sparse.find(entry, body) : body);
      },
      body: () => {},
    },
    INLINE_READ_MAX_BYTES,
  );
  let inlineBytes = 0;
  await readChunks(stream, {
    inline: (bytes) => {
      inlineBytes += bytes.length;
      if (inlineBytes > inlineMaxBytes) throw tooManyEntries(layerId);
      parser.push(bytes);
    },
    external: (objectId) => parser.pushExternal(objectId),
  });
  parser.finish();
  if (parser.streamBytes !== stream.sizeBytes) {
    throw corrupt(
      `Cannot read layer ${layerId}: it has ${parser.streamBytes} bytes, its header says ${stream.sizeBytes}`,
    );
  }
  return inlineBytes;
}

function tooManyEntries(layerId: string): SealrootError {
  const limit = `the entries of the image's layers are over ${LAYERS_INLINE_MAX_BYTES} bytes`;
  return new SealrootError("unsupported", `Cannot read layer ${layerId}: ${limit}`);
}
