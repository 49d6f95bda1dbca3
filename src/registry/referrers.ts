/** What refers to an image: signatures, attestations (OCI distribution specification, "Listing referrers"). */
import { SealrootError } from "../errors/index.ts";
import { type Descriptor, indexSchema, MEDIA_TYPE, readIndex, referrersTag } from "../oci/index.ts";
import type { RegistryClient } from "./client.ts";
import { pagesOf } from "./links.ts";
import { findManifest } from "./manifests.ts";

/**
 * The manifests whose subject is `digest`.
 *
 * @param artifactType only those of this type; registries may or may not filter themselves
 * @throws SealrootError as RegistryClient.request, `corrupt` for an invalid list
 */
export async function listReferrers(
  client: RegistryClient,
  digest: string,
  artifactType?: string,
): Promise<Descriptor[]> {
  const found = (await referrersByInterface(client, digest, artifactType)) ?? (await referrersByTag(client, digest));
  return artifactType === undefined ? found : found.filter((entry) => entry.artifactType === artifactType);
}

/** Undefined if the registry has no such API: one that has it answers with an empty list. */
async function referrersByInterface(
  client: RegistryClient,
  digest: string,
  artifactType: string | undefined,
): Promise<Descriptor[] | undefined> {
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const action = `Cannot list the referrers of ${client.name}@${digest}`;
  const request = { action, headers: { accept: MEDIA_TYPE.index } };
  const found: Descriptor[] = [];
  try {
    for await (const page of pagesOf(client, `referrers/${digest}${query}`, indexSchema, request)) {
      for (const entry of page.manifests) found.push(entry);
    }
    return found;
  } catch (error) {
    if (error instanceof SealrootError && error.code === "not-found") return undefined;
    throw error;
  }
}

/** An image without referrers has no such tag; something else under such a tag is not a list. */
async function referrersByTag(client: RegistryClient, digest: string): Promise<Descriptor[]> {
  const tag = referrersTag(digest);
  const manifest = await findManifest(client, tag);
  if (manifest?.mediaType !== MEDIA_TYPE.index) return [];
  return readIndex(manifest.bytes, `${client.name}:${tag}`).manifests;
}
