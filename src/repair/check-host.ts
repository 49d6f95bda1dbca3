/** Checking a whole host: repository, boot files, entries, loader, state. Writes nothing. */

import type { DeploymentRecord } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import type { HostPlaces } from "../host/index.ts";
import type { Repository } from "../repository/index.ts";
import { checkBootFiles } from "./check-boot-files.ts";
import { checkEntries } from "./check-entries.ts";
import { checkGlobalAddons } from "./check-global-addons.ts";
import { checkLoader } from "./check-loader.ts";
import { checkHostRepository, checkMeta, openHostRepository, type RepositoryCheck } from "./check-repository.ts";
import { checkState } from "./check-state.ts";
import type { Fault, MendableFault } from "./fault.ts";
import { type ImageBootFiles, imageBootFiles } from "./image-boot-files.ts";
import { type KeptDeployments, keptDeployments, requiresVerity } from "./kept-deployments.ts";

/** How much was looked at. */
export interface CheckedCounts {
  readonly objects: number;
  readonly streams: number;
  readonly images: number;
  readonly deployments: number;
  readonly bootFiles: number;
}

export interface HostCheck {
  readonly checked: CheckedCounts;
  readonly faults: readonly Fault[];
  /** Worth saying, and nothing wrong. */
  readonly notes: readonly string[];
}

/** @throws SealrootError only when nothing at all can be told */
export async function checkHost(places: HostPlaces, events: EventSink): Promise<HostCheck> {
  const kept = keptDeployments(places);
  const meta = checkMeta(places, insistsOnVerity(places, kept));
  const opened = await openHostRepository(places);
  if (!("objects" in opened)) {
    const rest = await checkOutside(places, kept, undefined, events);
    return hostCheck(undefined, [...meta, ...(meta.length > 0 ? [] : [opened])], rest, kept);
  }
  using repository = opened;
  const found = await checkHostRepository(repository, kept.deployments, events);
  const rest = await checkOutside(places, kept, repository, events);
  // The report of the repository has its meta.json too.
  return hostCheck(found, meta, rest, kept);
}

export function hostCheck(
  found: RepositoryCheck | undefined,
  meta: readonly Fault[],
  rest: OutsideCheck,
  { deployments }: KeptDeployments,
): HostCheck {
  const { faults, notes, bootFiles } = rest;
  return {
    checked: {
      objects: found?.report.objectsChecked ?? 0,
      streams: found?.report.streamsChecked ?? 0,
      images: found?.report.imagesChecked ?? 0,
      deployments: deployments.length,
      bootFiles,
    },
    faults: [...meta, ...(found?.faults ?? []), ...faults],
    notes: [...notes, ...(found?.report.leftovers ?? []).map(({ path }) => `left over, gc removes it: ${path}`)],
  };
}

/** True when objects without fs-verity could not be read by what runs, or is booted next. */
export function insistsOnVerity({ booted }: HostPlaces, { deployments }: KeptDeployments): boolean {
  if (booted !== undefined) return !booted.missingVerityAllowed;
  // Looked at from outside; a UKI without `?` is what sealing makes.
  return deployments.some(({ record, entry }) => {
    const options = entry?.entry.target.type === "linux" ? entry.entry.options : undefined;
    return options === undefined ? record?.origin.bootType === "uki" : requiresVerity(options);
  });
}

/** What is not in the repository, and is compared with what is. */
export interface OutsideCheck {
  readonly faults: readonly MendableFault[];
  readonly notes: readonly string[];
  readonly bootFiles: number;
}

/** @param repository undefined when it cannot be opened */
export async function checkOutside(
  places: HostPlaces,
  kept: KeptDeployments,
  repository: Repository | undefined,
  events: EventSink,
): Promise<OutsideCheck> {
  const images = new ImagesOnce(repository);
  return runStep(events, "check boot files, entries and state", async (reporter) => {
    const faults: MendableFault[] = [];
    const notes: string[] = [];
    const known: ImageBootFiles[] = [];
    let bootFiles = 0;
    for (const [index, deployment] of kept.deployments.entries()) {
      const image = await images.of(deployment.record);
      const found = checkBootFiles(places, deployment, image);
      faults.push(...found.faults);
      bootFiles += found.checked;
      if (image !== undefined) known.push(image);
      reporter.progress(index + 1, kept.deployments.length, "items");
    }
    faults.push(...(await checkEntries(places, kept, (record) => images.of(record))));
    const addons = await checkGlobalAddons(places, known);
    const loader = await checkLoader(
      places,
      known.flatMap((image) => image.loader ?? []),
    );
    faults.push(...addons.faults, ...loader.faults);
    notes.push(...addons.notes, ...loader.notes);
    bootFiles += addons.checked;
    faults.push(...checkState(places, kept, repository));
    return { faults, notes, bootFiles };
  });
}

/** The boot files of each image, read once. */
class ImagesOnce {
  readonly #repository: Repository | undefined;
  readonly #known = new Map<string, ImageBootFiles | undefined>();

  constructor(repository: Repository | undefined) {
    this.#repository = repository;
  }

  async of(record: DeploymentRecord | undefined): Promise<ImageBootFiles | undefined> {
    const digest = record?.origin.manifestDigest;
    if (this.#repository === undefined || digest === undefined) return undefined;
    if (!this.#known.has(digest)) this.#known.set(digest, await readable(this.#repository, digest));
    return this.#known.get(digest);
  }
}

/** What is wrong with the image is found in the repository. */
async function readable(repository: Repository, digest: string): Promise<ImageBootFiles | undefined> {
  try {
    return await imageBootFiles(repository, digest);
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}
