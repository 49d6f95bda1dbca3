/** From what a reference names to manifests, through image indexes (spec/chunked-and-policy.md 4.3). */
import { SealrootError } from "../../errors/index.ts";
import type { ImageSource } from "../../oci/index.ts";
import {
  type Descriptor,
  DOCKER_MEDIA_TYPE,
  MEDIA_TYPE,
  type Platform,
  platformRank,
  readIndex,
} from "../../oci/index.ts";

/** A manifest that the reference can mean. */
export interface Candidate {
  readonly descriptor: Descriptor;
  /** The indexes on the way to it, the outermost first. */
  readonly indexes: readonly Descriptor[];
}

/** Nesting of indexes; nobody has reason to go deeper. */
const DEPTH_MAX = 4;

/** Entries followed in total; each costs a request. */
const ENTRIES_MAX = 128;

/** Set to "true" on the zstd-compressed one of two otherwise identical images (containers/image). */
const ZSTD_ANNOTATION = "io.github.containers.compression.zstd";

/** What an index may lead to. */
export interface EnteredIndexes {
  readonly candidates: readonly Candidate[];
  /** Platforms of images left unread because they are for another one. */
  readonly otherPlatforms: readonly Platform[];
}

/**
 * The manifests to choose from; of each index the one for `platform` if that is known.
 * @throws SealrootError `unsupported` for indexes nested too deep or with too many images that can be meant; as the source's readManifest
 */
export async function enterIndexes(source: ImageSource, platform: Platform): Promise<EnteredIndexes> {
  const candidates: Candidate[] = [];
  const search: Search = { source, platform, otherPlatforms: [], entriesLeft: ENTRIES_MAX };
  for (const descriptor of source.index.manifests) candidates.push(...(await enter(search, descriptor, [])));
  return { candidates, otherPlatforms: search.otherPlatforms };
}

interface Search {
  readonly source: ImageSource;
  readonly platform: Platform;
  readonly otherPlatforms: Platform[];
  entriesLeft: number;
}

async function enter(search: Search, descriptor: Descriptor, indexes: readonly Descriptor[]): Promise<Candidate[]> {
  if (!isIndex(descriptor)) return [{ descriptor, indexes }];
  if (indexes.length === DEPTH_MAX) {
    const what = `Cannot open image index ${descriptor.digest}: it is nested more than ${DEPTH_MAX} deep`;
    throw new SealrootError("unsupported", what);
  }
  const { manifests } = readIndex(await search.source.readManifest(descriptor), descriptor.digest);
  const found: Candidate[] = [];
  const entries = suitable(manifests, search.platform);
  if (entries.length === 0) search.otherPlatforms.push(...manifests.flatMap(({ platform }) => platform ?? []));
  for (const entry of entries) {
    if (search.entriesLeft-- === 0) {
      const what = `Cannot open image index ${descriptor.digest}: more than ${ENTRIES_MAX} of its images may be meant`;
      throw new SealrootError("unsupported", what, { hint: "name one by its digest" });
    }
    found.push(...(await enter(search, entry, [...indexes, descriptor])));
  }
  return found;
}

function isIndex({ mediaType }: Descriptor): boolean {
  return mediaType === MEDIA_TYPE.index || mediaType === DOCKER_MEDIA_TYPE.list;
}

/** buildx's mark for attestations, which are not images (docker/buildx, "Attestation storage"). */
const NO_PLATFORM = "unknown";

/**
 * The best entry for the platform; failing that those that name no platform; failing those a single one, whatever its
 * platform, or none. Entries for other platforms stay unread: a layout may hold the blobs of only one platform.
 */
function suitable(all: readonly Descriptor[], platform: Platform): readonly Descriptor[] {
  const entries = all.filter((entry) => entry.platform?.os !== NO_PLATFORM || platform.os === NO_PLATFORM);
  const ranked = entries.flatMap((entry) => {
    const rank = entry.platform === undefined ? undefined : platformRank(platform, entry.platform);
    return rank === undefined ? [] : [{ entry, rank, isZstd: entry.annotations?.[ZSTD_ANNOTATION] === "true" }];
  });
  // Sorting is stable: among equals the first in the list comes first.
  const [best] = ranked.sort((a, b) => a.rank - b.rank || Number(b.isZstd) - Number(a.isZstd));
  if (best !== undefined) return [best.entry];
  const unnamed = entries.filter((entry) => entry.platform === undefined);
  if (unnamed.length > 0) return unnamed;
  return entries.length === 1 ? entries : [];
}
