/** Pulling only what the repository lacks of a layer (spec/chunked-and-policy.md 1). */
import { type ChunkedPositions, readChunkedAnnotations, type Toc } from "../../chunked/index.ts";
import { untilAborted } from "../../platform/index.ts";
import type { Layer } from "../layer/layer.ts";
import { unpackedLimitBytes } from "../layer/layer-check.ts";
import type { FetchContext, FetchedLayer } from "./fetch-context.ts";
import { planFetch, sha256Hex, wantedContents } from "./fetch-plan.ts";
import { fetchTable, type ReadRanges } from "./fetch-table.ts";
import { PullWhole, StaleContent } from "./not-partial.ts";
import { RangeReader } from "./range-reader.ts";
import { rebuildLayer } from "./rebuild-layer.ts";

/**
 * Fetches the files of a zstd:chunked layer that the repository lacks and rebuilds its tar, whose digest is checked
 * like any layer's. The blob's own digest is not: not all of it was read.
 *
 * @param onBytes called with the offset in the blob up to which the layer is there
 * @returns undefined when the layer must be pulled whole: it has no table, the source serves no parts, the table cannot
 *   prove it (spec 1.8), or the repository has no layers yet, so nothing could be saved
 * @throws SealrootError `corrupt` when table, tar-split data, a file or the tar are wrong: such a layer is not tried
 *   another way
 */
export async function pullPartially(
  context: FetchContext,
  layer: Layer,
  onBytes: (doneBytes: number) => void,
): Promise<FetchedLayer | undefined> {
  const { blobs, repository, signal } = context;
  const rangesOf = blobs.readRanges?.bind(blobs);
  // A repository being staged becomes a disk image, where lists of files do not belong.
  if (layer.compression !== "zstd" || rangesOf === undefined || repository.protection === "offline") return undefined;
  // File by file takes twice the time.
  if (!context.contents.hasLayers) return undefined;
  const positions = readChunkedAnnotations(layer.blob.annotations, layer.blob.size);
  if (positions === undefined) return undefined;
  const readRanges: ReadRanges = (blob, ranges) => untilAborted(rangesOf(blob, ranges), signal);
  try {
    return await pullParts(context, layer, positions, readRanges, onBytes);
  } catch (error) {
    if (!(error instanceof PullWhole)) throw error;
    if (error instanceof StaleContent) context.contents.distrust(error.digest);
    context.onPullWhole(layer, error.message);
    return undefined;
  }
}

async function pullParts(
  context: FetchContext,
  layer: Layer,
  positions: ChunkedPositions,
  readRanges: ReadRanges,
  onBytes: (doneBytes: number) => void,
): Promise<FetchedLayer> {
  const { contents, layerLimitBytes } = context;
  const { blob } = layer;
  const table = await fetchTable(readRanges, blob, positions, unpackedLimitBytes(blob, layerLimitBytes));
  const local = await contents.find(wantedContents(table.toc));
  const { ranges, rangesBytes, savedBytes } = planFetch(table.toc, local);
  const reader = new RangeReader(ranges, ranges.length === 0 ? undefined : readRanges(blob, ranges));
  try {
    const stored = await rebuildLayer(context, layer, { table, local, reader }, onBytes);
    const { streamId, entries } = stored;
    if (entries !== undefined) contents.record(streamId, entries, digestsByPath(table.toc));
    return { ...stored, fetchedBytes: table.fetchedBytes + rangesBytes, savedBytes };
  } finally {
    await reader.close();
  }
}

function digestsByPath(toc: Toc): (path: string) => string | undefined {
  const digests = new Map<string, string>();
  for (const { name, content } of toc.entries) if (content !== undefined) digests.set(name, sha256Hex(content.digest));
  return (path) => digests.get(path);
}
