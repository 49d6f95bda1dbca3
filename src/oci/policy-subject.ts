/** An image at its source, as a policy looks at it. */
import type { ReadImage } from "./choose-image.ts";
import { readIndex } from "./documents.ts";
import type { ImageSource } from "./image-source.ts";
import { DOCKER_MEDIA_TYPE, MEDIA_TYPE } from "./media-types.ts";
import type { PolicySubject, SignedDocument } from "./policy/index.ts";
import type { ImageReference } from "./reference.ts";

/** @param reference as the user named the image, before mirrors */
export function policySubject(reference: ImageReference, source: ImageSource, image: ReadImage): PolicySubject {
  const { digest } = image.descriptor;
  return {
    reference,
    manifest: { digest, bytes: image.manifestBytes },
    indexes: () => indexesWith(source, digest),
    signatures: source.signatures,
  };
}

/** The indexes of a source that hold the manifest with this digest. */
async function indexesWith(source: ImageSource, digest: string): Promise<SignedDocument[]> {
  const holding: SignedDocument[] = [];
  for (const descriptor of source.index.manifests) {
    if (descriptor.mediaType !== MEDIA_TYPE.index && descriptor.mediaType !== DOCKER_MEDIA_TYPE.list) continue;
    const bytes = await source.readManifest(descriptor);
    const { manifests } = readIndex(bytes, descriptor.digest);
    if (manifests.some((entry) => entry.digest === digest)) holding.push({ digest: descriptor.digest, bytes });
  }
  return holding;
}
