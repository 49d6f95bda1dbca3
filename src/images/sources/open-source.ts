/** Opening the place that a reference names, whatever its transport. */
import { type ImageReference, type ImageSource, openArchiveSource, openLayoutSource } from "../../oci/index.ts";
import type { RegistryOptions } from "../../registry/index.ts";

/**
 * Opens what a reference names. The caller closes it.
 * @throws SealrootError `not-found`, `corrupt`, `unsupported`; `no-access`, `no-network` and `timeout` of a registry
 */
export async function openSource(reference: ImageReference, options: RegistryOptions = {}): Promise<ImageSource> {
  switch (reference.transport) {
    case "docker":
      return (await import("../../registry/index.ts")).openRegistrySource(reference, options);
    case "oci":
      return openLayoutSource(reference);
    case "oci-archive":
      return openArchiveSource(reference);
    case "dir":
      return (await import("./dir-source.ts")).openDirSource(reference);
    case "docker-archive":
      return (await import("./docker-archive-source.ts")).openDockerArchiveSource(reference);
    case "containers-storage":
      return (await import("../podman/storage-source.ts")).openStorageSource(reference, options.paths);
  }
}
