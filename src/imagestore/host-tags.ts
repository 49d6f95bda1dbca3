/** The tags by which a host keeps the images of its deployments (spec/host.md 1.10). All others are somebody else's. */
import { SealrootError } from "../errors/index.ts";
import { isDigest } from "../oci/index.ts";
import type { Repository } from "../repository/index.ts";
import { readStoredImage } from "./stored-image.ts";
import { MANIFEST_STREAM_PREFIX, manifestStreamName, TAG_DIRECTORY } from "./stream-names.ts";
import { decodeTag } from "./tag-names.ts";

/** Followed by the digest of the manifest. */
export const HOST_TAG_PREFIX = "localhost/bootc-";

export interface HostTags {
  /** References of streams whose image no deployment has. */
  readonly dropped: readonly string[];
  /** Manifests of deployments that are in the repository and have no tag. */
  readonly untagged: readonly string[];
  /** Their streams. */
  readonly untaggedEntries: readonly string[];
}

/** @param manifestDigests of the deployments that there are */
export function hostTags(repository: Repository, manifestDigests: ReadonlySet<string>): HostTags {
  const tagged = new Set<string>();
  const dropped: string[] = [];
  for (const { name, entry } of repository.streams.references(TAG_DIRECTORY)) {
    const tag = decodeTag(name.slice(TAG_DIRECTORY.length + 1));
    if (!tag.startsWith(HOST_TAG_PREFIX)) continue;
    const named = tag.slice(HOST_TAG_PREFIX.length);
    const target = entry.slice(MANIFEST_STREAM_PREFIX.length);
    if (named === target) tagged.add(named);
    if (isDigest(named) && !manifestDigests.has(named) && !manifestDigests.has(target)) dropped.push(name);
  }
  const untagged = [...manifestDigests].filter(
    (digest) => !tagged.has(digest) && repository.streams.find(manifestStreamName(digest)) !== undefined,
  );
  return { dropped, untagged, untaggedEntries: untagged.map(manifestStreamName) };
}

/** The manifests whose images an EROFS image is one of, by its id; those that cannot be read are passed over. */
export async function manifestsByImage(repository: Repository): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  for (const { entry } of repository.streams.entries()) {
    if (!entry.startsWith(MANIFEST_STREAM_PREFIX)) continue;
    const digest = entry.slice(MANIFEST_STREAM_PREFIX.length);
    for (const id of await imagesOf(repository, digest)) found.set(id, [...(found.get(id) ?? []), digest]);
  }
  return found;
}

async function imagesOf(repository: Repository, manifestDigest: string): Promise<Iterable<string>> {
  try {
    return new Set((await readStoredImage(repository, manifestDigest))?.images.values() ?? []);
  } catch (error) {
    if (error instanceof SealrootError) return [];
    throw error;
  }
}
