/** Repairing the repository of a host: what is damaged or missing is made again or fetched, and put in its place. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ukiPath } from "../bls/index.ts";
import { hostTag } from "../deployment/index.ts";
import { asSealrootError, type SealrootError } from "../errors/index.ts";
import { runStep } from "../events/index.ts";
import { type HostPlaces, placeOfBootFile } from "../host/index.ts";
import { completeImage, imageWithoutSource, isWholeImage, manifestStreamName, tagImage } from "../imagestore/index.ts";
import { temporaryDirectory } from "../platform/index.ts";
import { type Published, type Repository, WorkingCopy } from "../repository/index.ts";
import type { RepositoryCheck } from "./check-repository.ts";
import { openByDigest, type SourceOptions } from "./image-source.ts";
import type { KeptDeployment } from "./kept-deployments.ts";

export interface RepositoryRepair extends Published {
  /** References that images were fetched from. */
  readonly sources: readonly string[];
}

/** An image to complete. */
interface WantedImage {
  readonly manifestDigest: string;
  /** Where it came from; undefined when no deployment says so. */
  readonly origin: string | undefined;
  /** EROFS images that it must have. */
  readonly imageIds: readonly string[];
}

/**
 * Completes every image of the repository beside it, in a copy that shares its good objects, then puts in place what was
 * made there. What a source cannot give does not keep the rest from being repaired.
 *
 * @param check of this repository, just made
 */
export async function repairHostRepository(
  places: HostPlaces,
  repository: Repository,
  deployments: readonly KeptDeployment[],
  check: RepositoryCheck,
  options: SourceOptions,
): Promise<RepositoryRepair> {
  const isWhole = check.damaged.size === 0 && check.faults.every(({ kind }) => kind !== "image-incomplete");
  if (isWhole) return { objectIds: [], links: [], failures: [], sources: [] };
  const { events } = options;
  using directory = temporaryDirectory({ parent: places.physicalRoot, purpose: "repair" });
  using copy = await runStep(events, "share the good objects", () =>
    WorkingCopy.make(repository, join(directory.path, "composefs"), check.damaged),
  );
  await runStep(events, "look for copies on this host", () => salvage(places, copy, deployments, check.damaged));
  const sources = new Set<string>();
  const failures: SealrootError[] = [];
  for (const wanted of wantedImages(repository, deployments)) {
    try {
      const reference = await complete(copy.repository, wanted, options);
      if (reference !== undefined) sources.add(reference);
    } catch (error) {
      failures.push(asSealrootError(error, `Cannot complete image ${wanted.manifestDigest}`));
    }
  }
  await copy.repository.restWorkers();
  const published = await runStep(events, "put repaired objects in place", () => copy.publish());
  await keepAlive(repository, deployments);
  return { ...published, failures: [...failures, ...published.failures], sources: [...sources] };
}

/** The damaged file may have lost only its fs-verity; a UKI is on the ESP as well. */
function salvage(
  places: HostPlaces,
  copy: WorkingCopy,
  deployments: readonly KeptDeployment[],
  damaged: ReadonlySet<string>,
): void {
  const missing = [...damaged].filter((objectId) => !copy.salvage(objectId));
  if (missing.length === 0) return;
  for (const { deploymentId, entry } of deployments) {
    const target = entry?.entry.target;
    const files = target?.type === "linux" ? [target.linux, ...target.initrd] : [target?.path ?? ukiPath(deploymentId)];
    for (const file of files) {
      const place = placeOfBootFile(places, file);
      const path = place && join(place.directory, place.path);
      if (path !== undefined && existsSync(path)) copy.salvageAny(missing, path);
    }
  }
}

/** Those of deployments in their order, then all others that the repository has. */
function wantedImages(repository: Repository, deployments: readonly KeptDeployment[]): WantedImage[] {
  const wanted = new Map<string, WantedImage>();
  for (const { deploymentId, record } of deployments) {
    const { manifestDigest, imageReference: origin } = record?.origin ?? {};
    if (manifestDigest === undefined) continue;
    const imageIds = [...(wanted.get(manifestDigest)?.imageIds ?? []), deploymentId];
    wanted.set(manifestDigest, { manifestDigest, origin, imageIds });
  }
  const prefix = manifestStreamName("");
  for (const { entry } of repository.streams.entries()) {
    const manifestDigest = entry.slice(prefix.length);
    if (!entry.startsWith(prefix) || wanted.has(manifestDigest)) continue;
    wanted.set(manifestDigest, { manifestDigest, origin: undefined, imageIds: [] });
  }
  return [...wanted.values()];
}

/** @returns where it was fetched from; undefined when nothing had to be */
async function complete(
  repository: Repository,
  { manifestDigest, origin, imageIds }: WantedImage,
  options: SourceOptions,
): Promise<string | undefined> {
  if (await isWholeImage(repository, manifestDigest, imageIds)) return undefined;
  const local = await imageWithoutSource(repository, manifestDigest);
  if (local !== undefined) {
    await completeImage(repository, local, imageIds, options.events);
    return undefined;
  }
  const { image, reference } = await openByDigest(manifestDigest, origin, options);
  try {
    await completeImage(repository, image, imageIds, options.events);
    return reference;
  } finally {
    await image.close();
  }
}

/** An image that nothing names is garbage; one whose link was lost has lost its tags too. */
async function keepAlive(repository: Repository, deployments: readonly KeptDeployment[]): Promise<void> {
  const named = new Set(repository.streams.references().map(({ entry }) => entry));
  for (const { record } of deployments) {
    const manifestDigest = record?.origin.manifestDigest;
    if (manifestDigest === undefined || named.has(manifestStreamName(manifestDigest))) continue;
    if (!(await isWholeImage(repository, manifestDigest))) continue;
    await tagImage(repository, manifestDigest, hostTag(manifestDigest));
  }
}
