/** What of a host's repository is garbage: tags of images that no deployment has, and all that only they lead to. */
import { join } from "node:path";
import { listDeployments, REPOSITORY_PATH, readLegacyImageInfo } from "../../deployment/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import type { EventSink } from "../../events/index.ts";
import { configStreamName, HOST_TAG_PREFIX, hostTags, manifestsByImage, tagImage } from "../../imagestore/index.ts";
import { isDigest } from "../../oci/index.ts";
import { collectGarbage, type GcReport, openRepository, type Repository } from "../../repository/index.ts";
import type { HostProblem } from "../host.ts";
import type { HostPlaces } from "../host-places.ts";
import type { InUse } from "./in-use.ts";

export interface ImageCollection {
  readonly report: GcReport;
  /** Manifests that a deployment has and no tag of the host kept: they have one now. */
  readonly tagged: readonly string[];
}

export interface CollectImagesOptions {
  readonly dryRun: boolean;
  /** How long to wait for other users of the repository, such as pulls; forever if absent. */
  readonly lockTimeoutMs: number | undefined;
  readonly events: EventSink;
}

/**
 * @throws SealrootError as openRepository and collectGarbage
 */
export async function collectImages(
  places: HostPlaces,
  inUse: InUse,
  problems: HostProblem[],
  { dryRun, lockTimeoutMs, events }: CollectImagesOptions,
): Promise<ImageCollection> {
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH), {
    upgrade: dryRun ? "in-memory" : true,
  });
  const live = await liveManifests(places, repository, inUse, problems);
  const tags = hostTags(repository, live.digests);
  const everything = inUse.isUnclear ? entriesOf(repository, "streams") : [];
  const allImages = inUse.isUnclear || inUse.imagesAreUnclear ? entriesOf(repository, "images") : [];
  const roots = [...inUse.imageIds, ...live.configEntries, ...tags.untaggedEntries, ...everything, ...allImages];
  if (!dryRun) {
    for (const digest of tags.untagged) await tagImage(repository, digest, `${HOST_TAG_PREFIX}${digest}`);
  }
  const dropped = inUse.isUnclear || live.isUnclear ? [] : tags.dropped;
  const report = await collectGarbage(repository, {
    ...{ roots, dropped, dryRun, events },
    ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }),
  });
  return { report, tagged: tags.untagged };
}

interface LiveManifests {
  readonly digests: ReadonlySet<string>;
  /** Streams of configurations of deployments that have no manifest. */
  readonly configEntries: readonly string[];
  /** A deployment may have any of those that have a tag. */
  readonly isUnclear: boolean;
}

/** Those of the records; of a deployment whose record names none, those that have its image. */
async function liveManifests(
  { physicalRoot }: HostPlaces,
  repository: Repository,
  { deploymentIds }: InUse,
  problems: HostProblem[],
): Promise<LiveManifests> {
  const { deployments, unusable } = listDeployments(physicalRoot);
  const digests = new Set<string>();
  const recorded = new Set<string>();
  for (const { deploymentId, origin } of deployments) {
    const { manifestDigest } = origin;
    if (!deploymentIds.has(deploymentId) || manifestDigest === undefined || !isDigest(manifestDigest)) continue;
    digests.add(manifestDigest);
    recorded.add(deploymentId);
  }
  const others = [...deploymentIds].filter((id) => !recorded.has(id));
  const configEntries: string[] = [];
  if (others.length === 0) return { digests, configEntries, isUnclear: false };
  const byImage = await manifestsByImage(repository);
  const lost = others.filter((id) => {
    for (const digest of byImage.get(id) ?? []) digests.add(digest);
    if (byImage.has(id)) return false;
    const entry = legacyConfig(physicalRoot, repository, id);
    if (entry !== undefined) configEntries.push(entry);
    return entry === undefined;
  });
  const withState = new Set([...deployments, ...unusable].map(({ deploymentId }) => deploymentId));
  const unclear = lost.filter((id) => withState.has(id));
  for (const id of unclear) problems.push({ subject: id, error: corrupt("Cannot tell which image it was made of") });
  return { digests, configEntries, isUnclear: unclear.length > 0 };
}

/** The stream of the configuration that bootc noted of a deployment before it kept manifests. */
function legacyConfig(physicalRoot: string, repository: Repository, deploymentId: string): string | undefined {
  try {
    const digest = readLegacyImageInfo(physicalRoot, deploymentId)?.manifest.config.digest;
    if (digest === undefined || !isDigest(digest)) return undefined;
    const entry = configStreamName(digest);
    return repository.streams.find(entry) === undefined ? undefined : entry;
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}

function entriesOf(repository: Repository, kind: "images" | "streams"): string[] {
  return repository[kind].entries().map(({ entry }) => entry);
}
