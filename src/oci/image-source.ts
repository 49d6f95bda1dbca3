/** Where images come from: one shape for layouts, archives, registries and stores. */
import type { BlobReader } from "./blobs.ts";
import type { Descriptor, ImageIndex } from "./documents.ts";
import type { SignatureStore } from "./policy/index.ts";
import type { ImageReference } from "./reference.ts";
import type { RegistryClient, RegistryOptions } from "./registry/index.ts";
import type { UnpackedLayers } from "./unpacked-layers.ts";

/** What a reference names, before one image is chosen. */
export interface ImageSource {
  /** One entry for each image or index that the reference can mean; tags are in the annotations of the entries. */
  readonly index: ImageIndex;
  readonly blobs: BlobReader;
  /** Where layers are kept unpacked instead of as blobs. */
  readonly unpacked?: UnpackedLayers;
  /**
   * The bytes of a manifest or an inner index, checked against the descriptor's digest. Registries keep them apart from
   * blobs.
   */
  readManifest(descriptor: Descriptor): Promise<Uint8Array>;
  /** Where signatures of the image are, when the place has room for them. */
  readonly signatures?: SignatureStore;
  /** Of a registry: the client that reads it, until {@link close}. */
  readonly registryClient?: RegistryClient;
  close(): Promise<void>;
}

/**
 * Opens what a reference names. The caller closes it.
 * @throws SealrootError `not-found`, `corrupt`, `unsupported`; `no-access`, `no-network` and `timeout` of a registry
 */
export async function openSource(reference: ImageReference, options: RegistryOptions = {}): Promise<ImageSource> {
  switch (reference.transport) {
    case "docker":
      return (await import("./registry/registry-source.ts")).openRegistrySource(reference, options);
    case "oci":
      return (await import("./layout-source.ts")).openLayoutSource(reference);
    case "oci-archive":
      return (await import("./layout-source.ts")).openArchiveSource(reference);
    case "dir":
      return (await import("./dir-source.ts")).openDirSource(reference);
    case "docker-archive":
      return (await import("./docker-archive-source.ts")).openDockerArchiveSource(reference);
    case "containers-storage":
      return (await import("./storage/storage-source.ts")).openStorageSource(reference);
  }
}
