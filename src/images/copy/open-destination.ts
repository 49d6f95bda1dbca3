/** Opening the place a reference names, to write an image there. */
import { SealrootError } from "../../errors/index.ts";
import { formatReference, type ImageReference } from "../../oci/index.ts";
import { ArchiveDestination } from "./archive-destination.ts";
import type { ImageDestination } from "./destination.ts";
import { DirectoryDestination } from "./directory-destination.ts";
import { LayoutDestination } from "./layout-destination.ts";
import type { RegistryDestinationOptions } from "./registry-destination.ts";

export type OpenDestinationOptions = RegistryDestinationOptions;

/** Ways to get there nevertheless. */
const HINTS = {
  "docker-archive": "write oci-archive:FILE; podman and docker load it too",
  "containers-storage": "use: sealroot image copy-to-storage",
} as const;

/**
 * Opens a destination; the caller ends it with finish or abort.
 * @throws SealrootError `unsupported` for a place that is only read; `exists`, `no-access`, `not-found`
 */
export async function openDestination(
  reference: ImageReference,
  options: OpenDestinationOptions = {},
): Promise<ImageDestination> {
  switch (reference.transport) {
    case "docker":
      return (await import("./registry-destination.ts")).RegistryDestination.open(reference, options);
    case "oci":
      return LayoutDestination.open(reference);
    case "oci-archive":
      return ArchiveDestination.open(reference);
    case "dir":
      return DirectoryDestination.open(reference);
    case "docker-archive":
    case "containers-storage":
      throw readOnly(reference, HINTS[reference.transport]);
  }
}

/** Opens a destination, and finishes or aborts it when the work ends. */
export async function toDestination<T>(
  target: ImageReference,
  options: OpenDestinationOptions,
  work: (destination: ImageDestination) => Promise<T>,
): Promise<T> {
  const destination = await openDestination(target, options);
  try {
    const result = await work(destination);
    await destination.finish();
    return result;
  } catch (error) {
    await destination.abort();
    throw error;
  }
}

function readOnly(reference: ImageReference, hint: string): SealrootError {
  const text = formatReference(reference);
  const what = `Cannot write image ${text}: transport ${reference.transport}: is only read`;
  return new SealrootError("unsupported", what, { path: text, hint });
}
