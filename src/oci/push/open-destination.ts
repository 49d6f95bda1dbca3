/** Opening the place a reference names, to write an image there. */
import { SealrootError } from "../../errors/index.ts";
import { formatReference, type ImageReference } from "../reference.ts";
import { ArchiveDestination } from "./archive-destination.ts";
import type { ImageDestination } from "./destination.ts";
import { DirectoryDestination } from "./directory-destination.ts";
import { LayoutDestination } from "./layout-destination.ts";

/** How to get there after all. */
const HINTS = {
  docker: "write oci-archive:FILE and copy that with skopeo",
  "docker-archive": "write oci-archive:FILE; podman and docker load it too",
  "containers-storage": "use: sealroot image copy-to-storage",
} as const;

/**
 * Opens a destination; the caller ends it with finish or abort.
 * @throws SealrootError `unsupported` for a place that is only read; `exists`, `no-access`, `not-found`
 */
export async function openDestination(reference: ImageReference): Promise<ImageDestination> {
  switch (reference.transport) {
    case "oci":
      return LayoutDestination.open(reference);
    case "oci-archive":
      return ArchiveDestination.open(reference);
    case "dir":
      return DirectoryDestination.open(reference);
    default: {
      const text = formatReference(reference);
      const what = `Cannot write image ${text}: transport ${reference.transport}: is only read`;
      throw new SealrootError("unsupported", what, { path: text, hint: HINTS[reference.transport] });
    }
  }
}
