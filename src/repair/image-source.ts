/** Where a deployment's image can be had again: always the same manifest, whatever a tag means by now. */
import { reasonOf, SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import { type OpenedImage, openImage } from "../images/index.ts";
import { formatReference, type ImageReference, parseReference } from "../oci/index.ts";
import type { PolicyChoice } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";

export interface SourceOptions {
  /** References to look at first, such as `oci:/run/media/stick`. */
  readonly sources: readonly string[];
  readonly registry?: RegistryOptions | undefined;
  readonly policy: PolicyChoice;
  readonly events: EventSink;
}

export interface FoundImage {
  readonly image: OpenedImage;
  /** Where it was found. */
  readonly reference: string;
}

/**
 * Opens the image with this manifest: at the given sources, then where the deployment came from. Of a registry the
 * manifest is asked for by its digest; where that cannot be, what the reference names must be it.
 *
 * @param origin of the deployment, as its origin file says; undefined for an image that belongs to none
 * @returns the caller closes it
 * @throws SealrootError `not-found` with what each place said; `untrusted` when the policy refuses the image
 */
export async function openByDigest(
  manifestDigest: string,
  origin: string | undefined,
  { sources, registry, policy, events }: SourceOptions,
): Promise<FoundImage> {
  const refusals: string[] = [];
  for (const text of [...new Set([...sources, ...(origin === undefined ? [] : [origin])])]) {
    for (const reference of candidates(text, manifestDigest, refusals)) {
      const shown = formatReference(reference);
      try {
        const identity = origin === undefined ? undefined : parseReference(origin);
        const image = await runStep(events, "read the image", () =>
          openImage(reference, { registry, policy, identity }),
        );
        if (image.descriptor.digest === manifestDigest) return { image, reference: shown };
        await image.close();
        refusals.push(`${shown} is another image by now, ${image.descriptor.digest}`);
      } catch (error) {
        if (error instanceof SealrootError && error.code === "untrusted") throw error;
        refusals.push(`${shown}: ${reasonOf(error)}`);
      }
    }
  }
  throw new SealrootError("not-found", `Cannot fetch image ${manifestDigest}: none of the sources has it`, {
    output: refusals,
    hint: "name a place that has exactly this image: sealroot fsck --repair --source REFERENCE",
  });
}

function candidates(text: string, digest: string, refusals: string[]): ImageReference[] {
  try {
    const reference = parseReference(text);
    if (reference.transport !== "docker") return [reference];
    return [{ ...reference, tag: undefined, digest }, ...(reference.digest === undefined ? [reference] : [])];
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    refusals.push(error.message);
    return [];
  }
}
