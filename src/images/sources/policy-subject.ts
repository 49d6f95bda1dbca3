/** An image at its source, as a policy looks at it. */

import type { Descriptor, ImageReference, ImageSource } from "../../oci/index.ts";
import type { PolicySubject } from "../../policy/index.ts";
import type { ReadImage } from "./choose-image.ts";

/**
 * What is signed is what the source has: the manifest before it is converted, and the indexes it was reached through.
 * @param reference as the user named the image
 */
export function policySubject(reference: ImageReference, source: ImageSource, image: ReadImage): PolicySubject {
  const { descriptor, manifestBytes } = image.original;
  const readIndex = async (index: Descriptor) => ({
    digest: index.digest,
    bytes: await source.readManifest(index),
  });
  return {
    reference,
    place: source.place,
    manifest: { digest: descriptor.digest, bytes: manifestBytes },
    indexDigests: image.indexes.map(({ digest }) => digest),
    indexes: () => Promise.all(image.indexes.map(readIndex)),
    signatures: source.signatures,
  };
}
