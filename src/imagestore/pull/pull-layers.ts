/** Fetching the layers of an image into the repository, several at once. */
import { type EventSink, runStep, type StepReporter } from "../../events/index.ts";
import type { OpenedImage } from "../../images/index.ts";
import { inLayer } from "../../oci/index.ts";
import { runBounded } from "../../platform/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { Layer } from "../layer/layer.ts";
import type { ArchivedEntry } from "../layer/layer-splitter.ts";
import { LocalContents } from "../partial/local-contents.ts";
import type { StoredConfig } from "../stored-image.ts";
import { layerStreamName } from "../stream-names.ts";
import { fetchLayer } from "./fetch-layer.ts";
import { type LayerPlan, planLayers } from "./layer-plan.ts";
import { PullProgress } from "./pull-progress.ts";

/**
 * Layers fetched at a time. Each has a connection to the registry, and three saturate most networks. Inflating a layer
 * alone keeps a core busy, so more would gain little for a layout; each costs some 10 MB.
 */
const LAYERS_AT_ONCE = 3;

/** What became of the file bodies. */
export interface LayerStatistics {
  newObjects: number;
  presentObjects: number;
  /** Bytes of the new objects. */
  storedBytes: number;
  /** Bytes kept in the streams themselves. */
  inlinedBytes: number;
  /** Bytes of the blobs that were needed, and of files in them that were not, as the repository had them. */
  fetchedBytes: number;
  savedBytes: number;
}

export interface PullLayersOptions {
  /** The image's configuration as left by an earlier pull. */
  readonly known: StoredConfig | undefined;
  /** Also fetch a layer with a missing object again. */
  readonly complete: boolean;
  /** A layer may unpack to this much; by default to a multiple of its blob. */
  readonly layerLimitBytes?: number | undefined;
  /** As in PullOptions. */
  readonly linkFiles?: boolean | undefined;
  readonly events: EventSink;
}

export interface PulledLayers {
  /** Diff ids to the object ids of the layers' streams, in the order of their first use. */
  readonly layers: ReadonlyMap<string, string>;
  /** The entries of the layers fetched now, by the object ids of their streams. */
  readonly entries: Map<string, readonly ArchivedEntry[]>;
  readonly statistics: LayerStatistics;
}

/**
 * Fetches the layers the repository lacks; each gets its name as soon as it is proven right, so that it need not be
 * fetched again whatever happens to the others. The first failure ends them all.
 *
 * @throws SealrootError as fetchLayer
 */
export async function pullLayers(
  repository: Repository,
  image: OpenedImage,
  options: PullLayersOptions,
): Promise<PulledLayers> {
  const plan = planLayers(repository, image, options);
  const pulled = { layers: new Map(plan.present), entries: new Map(), statistics: noStatistics() };
  if (plan.present.size < plan.layers.length) {
    await runStep(options.events, "pull layers", (reporter) =>
      fetchMissing(repository, image, options, plan, pulled, reporter),
    );
  }
  const layers = plan.layers.map(({ diffId }): [string, string] => {
    const streamId = pulled.layers.get(diffId);
    if (streamId === undefined) throw new Error(`unreachable: layer ${diffId} is neither fetched nor present`);
    return [diffId, streamId];
  });
  return { ...pulled, layers: new Map(layers) };
}

/** For a pull that fetches nothing. */
export function noStatistics(): LayerStatistics {
  return { newObjects: 0, presentObjects: 0, storedBytes: 0, inlinedBytes: 0, fetchedBytes: 0, savedBytes: 0 };
}

async function fetchMissing(
  repository: Repository,
  image: OpenedImage,
  { layerLimitBytes, linkFiles = false }: PullLayersOptions,
  plan: LayerPlan,
  pulled: PulledLayers & { readonly layers: Map<string, string> },
  reporter: StepReporter,
): Promise<void> {
  const progress = new PullProgress(plan, reporter);
  const importer = repository.objects.importer();
  const { statistics } = pulled;
  const contents = new LocalContents(repository, reporter);
  const onPullWhole = ({ blob }: Layer, reason: string) =>
    reporter.info(`layer ${blob.digest} is pulled whole: ${reason}`);
  const fetch = async (layer: Layer, signal: AbortSignal) => {
    const context = {
      ...{ repository, blobs: image.blobs, unpacked: image.unpacked, importer, layerLimitBytes, linkFiles },
      ...{ contents, onPullWhole, signal },
    };
    const onBytes = (doneBytes: number) => progress.running(layer, doneBytes);
    const fetched = await fetchLayer(context, layer, onBytes).catch((error: unknown) => {
      throw inLayer(layer.place, error);
    });
    repository.streams.register([{ entry: layerStreamName(layer.diffId), objectId: fetched.streamId }]);
    pulled.layers.set(layer.diffId, fetched.streamId);
    if (fetched.entries !== undefined) pulled.entries.set(fetched.streamId, fetched.entries);
    statistics.inlinedBytes += fetched.inlinedBytes;
    statistics.fetchedBytes += fetched.fetchedBytes;
    statistics.savedBytes += fetched.savedBytes;
    progress.finished(layer);
  };
  // The largest first, as in the reference: begun last, it would run alone.
  const missing = plan.layers
    .filter(({ diffId }) => !plan.present.has(diffId))
    .toSorted((a, b) => b.blob.size - a.blob.size);
  try {
    await runBounded(missing, LAYERS_AT_ONCE, fetch);
    Object.assign(statistics, await importer.finish());
  } catch (error) {
    // Pending work no longer belongs to a layer, but must end before the repository is closed.
    await importer.finish().catch(() => {});
    throw error;
  }
}
