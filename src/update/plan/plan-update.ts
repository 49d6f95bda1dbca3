/** The plan of an update: from what its registry tells, or of the fetched image. */

import { join } from "node:path";
import { REPOSITORY_PATH } from "../../deployment/index.ts";
import type { Host, HostPlaces } from "../../host/index.ts";
import { openRepository, type Repository } from "../../repository/index.ts";
import type { OpenedUpdate, Standing } from "../open-update.ts";
import { rootSpace } from "../root-space.ts";
import { bootedOf, type StageUpdateOptions } from "../stage-update.ts";
import type { PlannedImage, PlannedLayer, UpdatePlan } from "./update-plan.ts";

/** As for the update itself. */
export type PlanOptions = Omit<StageUpdateOptions, "downloadOnly" | "startFinalizer">;

const VERSION_ANNOTATION = "org.opencontainers.image.version";

/** The images, of which everything is known before anything is fetched. */
export function plannedImages(host: Host, { image, manifestDigest }: OpenedUpdate): Pick<UpdatePlan, "from" | "to"> {
  const booted = bootedOf(host);
  const from: PlannedImage = {
    deploymentId: booted.deploymentId,
    manifestDigest: booted.origin.manifestDigest,
    version: booted.image?.version,
  };
  const version = image.manifest.annotations?.[VERSION_ANNOTATION];
  return { from, to: { deploymentId: undefined, manifestDigest, version } };
}

/** Of an image that the host has: nothing is fetched and nothing is staged. */
export async function planOfPresent(
  places: HostPlaces,
  host: Host,
  update: OpenedUpdate,
  basis: UpdatePlan["basis"],
  standing: Standing = update.standing,
): Promise<UpdatePlan> {
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH), { upgrade: "in-memory" });
  const { freeBytes, neededBytes: requiredBytes } = rootSpace(places.physicalRoot, update.image, repository);
  const nothing = { unknown: "the host has this image, nothing will be staged" };
  return {
    ...plannedImages(host, update),
    ...{ basis, standing, image: update.target.imageReference },
    fetch: { bytes: 0, certainty: "exact", layersBytes: layersBytes(update), layers: [] },
    root: { freeBytes, requiredBytes, objects: nothing, state: nothing },
    ...{ esp: nothing, packages: nothing, files: nothing, etc: nothing, boot: nothing, garbage: nothing },
  };
}

export function layersBytes({ image }: OpenedUpdate): number {
  return image.manifest.layers.reduce((sum, { size }) => sum + size, 0);
}

/** Each layer once, by what was read of its blob. */
export function fetchedLayers({ image }: OpenedUpdate, bytes: ReadonlyMap<string, number>): PlannedLayer[] {
  const layers = new Map(image.manifest.layers.map((layer) => [layer.digest, layer]));
  return [...layers.values()].map(({ digest, size: sizeBytes }) => {
    const fetchBytes = bytes.get(digest) ?? 0;
    const source = fetchBytes === 0 ? "present" : fetchBytes >= sizeBytes ? "whole" : "parts";
    return { digest, sizeBytes, source, fetchBytes };
  });
}

/** Ids of all objects, to tell later which are new. */
export function objectIds(repository: Repository): Set<string> {
  const ids = new Set<string>();
  for (const { objectId } of repository.objects.entries()) if (objectId !== undefined) ids.add(objectId);
  return ids;
}
