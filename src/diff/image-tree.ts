/** The tree of an image's layers, with what the layers did to it. */
import { LayerHistory } from "../compare/index.ts";
import { SealrootError } from "../errors/index.ts";
import { runStep } from "../events/index.ts";
import { openImage } from "../images/index.ts";
import {
  type LayeredConfig,
  type MergeObserver,
  mergeLayers,
  pullLayers,
  type StoredImage,
  storedContents,
  storedLayers,
} from "../imagestore/index.ts";
import type { ImageReference, LayerPlace } from "../oci/index.ts";
import type { Repository } from "../repository/index.ts";
import type { DiffOptions } from "./options.ts";
import type { SourceTree } from "./source.ts";

type FetchedEntries = NonNullable<Parameters<typeof mergeLayers>[2]>;

/**
 * Fetches an image from wherever it is into a repository that is only for this. Layers that are there already, those that
 * the other side shares, are not fetched again.
 *
 * @throws SealrootError as openImage and pullLayers; `unsupported` for an artifact
 */
export async function fetchImageTree(
  reference: ImageReference,
  given: string,
  repository: Repository,
  { registry, policy, events }: DiffOptions,
): Promise<SourceTree> {
  const image = await runStep(events, "read image", () =>
    openImage(reference, { registry, ...(policy === undefined ? {} : { policy }) }),
  );
  try {
    if (image.config === undefined) throw artifact(given);
    const pulled = await pullLayers(repository, image, { known: undefined, complete: false, events });
    const { digest } = image.manifest.config;
    const config = { digest, config: image.config, layers: pulled.layers, manifest: image.manifest };
    return await mergedTree(repository, config, { events }, pulled.entries);
  } finally {
    await image.close();
  }
}

/** @throws SealrootError `unsupported` for an artifact; as mergeLayers */
export async function storedImageTree(
  repository: Repository,
  image: StoredImage,
  given: string,
  options: Pick<DiffOptions, "events">,
): Promise<SourceTree> {
  if (image.config === undefined) throw artifact(given);
  return await mergedTree(repository, image, options);
}

async function mergedTree(
  repository: Repository,
  config: LayeredConfig,
  { events }: Pick<DiffOptions, "events">,
  entries?: FetchedEntries,
): Promise<SourceTree> {
  const layers = storedLayers(config);
  const history = new LayerHistory();
  const observer: MergeObserver = {
    beginLayer: (place) => history.beginLayer(commandOf(place)),
    entry: (root, entry) => history.observe(root, entry),
  };
  const root = await runStep(events, "merge layers", () => mergeLayers(repository, layers, entries, observer));
  return {
    root,
    composition: { stage: "raw" },
    history,
    isUnpacked: false,
    readContent: storedContents(repository),
    layers: {
      count: layers.length,
      lower: (count) => mergeLayers(repository, layers.slice(0, count)),
      describe: (index) => history.describe(index),
    },
    remark: layers.length === 1 ? "1 layer" : `${layers.length} layers`,
  };
}

const COMMAND_MAX_CHARACTERS = 80;

/** The command that made a layer, on one line: builders keep its line breaks. */
function commandOf({ createdBy = "" }: LayerPlace): string {
  const command = createdBy.replace(/\s+/g, " ").trim();
  return command.length <= COMMAND_MAX_CHARACTERS ? command : `${command.slice(0, COMMAND_MAX_CHARACTERS - 1)}…`;
}

function artifact(given: string): SealrootError {
  return new SealrootError("unsupported", `Cannot compare ${given}: it is an artifact, not an image`);
}
