/** Signatures in a layout beside the image, as `cosign save` and copies of whole repositories leave them. */
import type { BlobReader } from "../blobs.ts";
import { referrersTag } from "../digest-tags.ts";
import { type Descriptor, type ImageIndex, readIndex, readManifest } from "../documents.ts";
import { MEDIA_TYPE } from "../media-types.ts";
import type { SignatureStore, StoredManifest } from "../signature-store.ts";
import { REF_NAME_ANNOTATION } from "./ref-name.ts";

/**
 * A layout's own signatures: the tag scheme by the tags of its index, referrers by the tag that replaces the API (OCI
 * distribution specification, "Referrers Tag Schema"), and as entries of the index of their own, where oras leaves them. Anyone who can write the layout can omit signatures, but not
 * make them.
 *
 * @param index the layout's whole index.json
 */
export function layoutSignatures(index: ImageIndex, blobs: Pick<BlobReader, "readWhole">): SignatureStore {
  const fetchManifest = async (descriptor: Descriptor): Promise<StoredManifest> => {
    return { mediaType: descriptor.mediaType, bytes: await blobs.readWhole(descriptor) };
  };
  const fetchTagged = async (tag: string): Promise<StoredManifest | undefined> => {
    const entry = index.manifests.find(({ annotations }) => annotations?.[REF_NAME_ANNOTATION] === tag);
    return entry === undefined ? undefined : fetchManifest(entry);
  };
  return {
    fetchTagged,
    fetchManifest,
    blobs,
    listReferrers: async (digest) => {
      const tag = referrersTag(digest);
      const fallback = await fetchTagged(tag);
      const listed = fallback?.mediaType === MEDIA_TYPE.index ? readIndex(fallback.bytes, tag).manifests : [];
      const found: Descriptor[] = [...listed];
      for (const entry of index.manifests) {
        if (entry.artifactType === undefined || found.some((other) => other.digest === entry.digest)) continue;
        const { bytes } = await fetchManifest(entry);
        if (readManifest(bytes, entry.digest).subject?.digest === digest) found.push(entry);
      }
      return found;
    },
  };
}
