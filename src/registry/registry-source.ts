/** An image in a registry as a source of images (`docker://`). */

import type { ImageSource, RegistryReference } from "../oci/index.ts";
import { nameOfReference, type SignatureStore } from "../oci/index.ts";
import type { RegistryClient } from "./client.ts";
import { findManifest, getManifest } from "./manifests.ts";
import { findImageInRegistry } from "./open-registry.ts";
import type { RegistryOptions } from "./options.ts";
import { listReferrers } from "./referrers.ts";
import { RegistryBlobs } from "./registry-blobs.ts";

/**
 * Opens what a reference names: its manifest or index is read, and the place that had it serves the rest.
 * @throws SealrootError as findImageInRegistry
 */
export async function openRegistrySource(
  reference: RegistryReference,
  options: RegistryOptions = {},
): Promise<ImageSource> {
  const { client, manifest } = await findImageInRegistry(reference, options);
  const { bytes, digest, mediaType } = manifest;
  return {
    place: { transport: "docker", name: nameOfReference(reference) },
    index: { schemaVersion: 2, manifests: [{ mediaType, digest, size: bytes.length }] },
    blobs: new RegistryBlobs(client),
    readManifest: async (descriptor) =>
      descriptor.digest === digest ? bytes : (await getManifest(client, descriptor.digest)).bytes,
    signatures: signaturesIn(client),
    remote: true,
    close: () => client.close(),
  };
}

/** Signatures are in the repository of the image, at the place that had the image. */
function signaturesIn(client: RegistryClient): SignatureStore {
  return {
    fetchTagged: (tag) => findManifest(client, tag),
    fetchManifest: ({ digest }) => getManifest(client, digest),
    blobs: new RegistryBlobs(client),
    // Not only by the type: bundles have older names for it.
    listReferrers: (digest) => listReferrers(client, digest),
  };
}
