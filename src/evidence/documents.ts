/** The OCI documents of evidence. */
import { type ImageConfig, type ImageManifest, readConfig, readManifest } from "../oci/index.ts";
import type { Evidence } from "./evidence.ts";

export type EvidenceLayer = NonNullable<Evidence["source"]>["layers"][number];

/**
 * The layers of an image: what the manifest says of each, and its diff id in the configuration.
 * @throws SealrootError `corrupt` for documents that cannot be read
 */
export function layersOf(manifestBytes: Uint8Array, configBytes: Uint8Array): EvidenceLayer[] {
  return layersOfDocuments(readManifest(manifestBytes, "the manifest"), readConfig(configBytes, "the configuration"));
}

/** A diff id that is missing is empty: then the documents do not fit, which a check says. */
export function layersOfDocuments({ layers }: ImageManifest, { rootfs }: ImageConfig): EvidenceLayer[] {
  return layers.map(({ digest, size }, index) => ({ digest, sizeBytes: size, diffId: rootfs.diff_ids[index] ?? "" }));
}
