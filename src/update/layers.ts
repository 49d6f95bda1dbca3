/** Which layers an update brings, as bootc's `upgrade --check` tells. */

import { join } from "node:path";
import { REPOSITORY_PATH } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { Host, HostPlaces } from "../host/index.ts";
import { readStoredImage } from "../imagestore/index.ts";
import type { Descriptor } from "../oci/index.ts";
import { openRepository } from "../repository/index.ts";
import type { OpenedUpdate } from "./open-update.ts";

export interface LayerSum {
  readonly count: number;
  /** Of the blobs. */
  readonly bytes: number;
}

export interface LayerChanges {
  /** All of the new image. */
  readonly total: LayerSum;
  /** Of the booted image, which the new one lacks. */
  readonly removed: LayerSum;
  readonly added: LayerSum;
}

/** Compares the image of an update with the booted one; of that nothing may be known, then all layers are new. */
export async function layersOf(places: HostPlaces, host: Host, { image }: OpenedUpdate): Promise<LayerChanges> {
  const next = image.manifest.layers;
  const current = await bootedLayers(places, host);
  const [nextDigests, currentDigests] = [next, current].map((layers) => new Set(layers.map(({ digest }) => digest)));
  return {
    total: sumOf(next),
    removed: sumOf(current.filter(({ digest }) => nextDigests?.has(digest) !== true)),
    added: sumOf(next.filter(({ digest }) => currentDigests?.has(digest) !== true)),
  };
}

function sumOf(layers: readonly Descriptor[]): LayerSum {
  return { count: layers.length, bytes: layers.reduce((sum, { size }) => sum + size, 0) };
}

async function bootedLayers({ physicalRoot }: HostPlaces, { booted }: Host): Promise<readonly Descriptor[]> {
  const manifestDigest = booted?.origin.manifestDigest;
  if (manifestDigest === undefined) return [];
  try {
    using repository = await openRepository(join(physicalRoot, REPOSITORY_PATH), { upgrade: "in-memory" });
    return (await readStoredImage(repository, manifestDigest))?.manifest.layers ?? [];
  } catch (error) {
    if (error instanceof SealrootError) return [];
    throw error;
  }
}
