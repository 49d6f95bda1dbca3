/** Fetching what is missing of an image that a repository has. */
import { SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep } from "../../events/index.ts";
import { openImage } from "../../images/index.ts";
import { parseReference } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import { manifestStreamName } from "../stream-names.ts";
import { recordImage } from "./record-image.ts";

/**
 * Completes an image: fetches each layer with anything missing, makes its EROFS images again and stores its documents.
 * Its tags stay unchanged, and its boot variants are made again.
 *
 * @param reference where to get it, such as `oci:DIRECTORY:TAG`
 * @throws SealrootError `conflict` when the repository does not have this image; as openImage and recordImage
 */
export async function restoreImage(repository: Repository, reference: string, events: EventSink): Promise<void> {
  repository.assertWritable();
  const image = await runStep(events, "read image", () => openImage(parseReference(reference)));
  try {
    const entry = manifestStreamName(image.descriptor.digest);
    const named = repository.streams.references().some((known) => known.entry === entry);
    if (!named && repository.streams.find(entry) === undefined) {
      throw new SealrootError("conflict", `Cannot restore from ${reference}: its image is not in the repository`, {
        path: repository.path,
        actual: image.descriptor.digest,
        hint: "give the image that was pulled; another version of it does not help",
      });
    }
    await recordImage(repository, image, { bootVariants: [], restore: true, events });
  } finally {
    await image.close();
  }
}
