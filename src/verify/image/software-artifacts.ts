/** Lists of software that are no files of an image but artifacts beside it (OCI distribution specification, "Listing referrers"). */
import { createHash } from "node:crypto";
import { SealrootError } from "../../errors/index.ts";
import type { OpenedImage } from "../../images/index.ts";
import { cosignTag, type Descriptor, MEDIA_TYPE, readManifest, type SignatureStore } from "../../oci/index.ts";
import type { SoftwareList } from "../policy/materials.ts";

/** application/spdx+json, text/spdx, application/vnd.cyclonedx+xml … (IANA, Media Types). */
const LIST_TYPE = /[/.](?:spdx|cyclonedx)(?:[+;-]|$)/i;
const ARTIFACTS_MAX = 64;
const LIST_MAX_BYTES = 64 << 20;

/**
 * The lists of software that refer to an image, or to an index through which it was found, or have cosign's tag for them.
 *
 * @returns none of a place that holds one image and nothing else
 * @throws SealrootError `corrupt`, `unsupported` for more than can be meant, or as the registry says
 */
export async function softwareArtifacts(
  image: Pick<OpenedImage, "signatures" | "original" | "indexes">,
): Promise<SoftwareList[]> {
  const { signatures: store, original, indexes } = image;
  if (store === undefined) return [];
  const lists: SoftwareList[] = [];
  for (const { digest } of [original.descriptor, ...indexes]) {
    const referrers = await store.listReferrers(digest, "");
    const wanted = referrers.filter(({ artifactType }) => artifactType !== undefined && LIST_TYPE.test(artifactType));
    if (wanted.length > ARTIFACTS_MAX) {
      const what = `Cannot read the lists of software of ${digest}: more than ${ARTIFACTS_MAX} artifacts have some`;
      throw new SealrootError("unsupported", what);
    }
    for (const referrer of wanted) {
      const manifest = readManifest((await store.fetchManifest(referrer)).bytes, referrer.digest);
      // A list under a tag can name anything.
      if (manifest.subject?.digest === digest) lists.push(...(await listsIn(store, referrer.digest, manifest.layers)));
    }
    const tag = cosignTag(digest, "sbom");
    const tagged = await store.fetchTagged(tag);
    if (tagged?.mediaType !== MEDIA_TYPE.manifest) continue;
    const { layers } = readManifest(tagged.bytes, tag);
    lists.push(
      ...(await listsIn(
        store,
        tag,
        layers.filter(({ mediaType }) => LIST_TYPE.test(mediaType)),
      )),
    );
  }
  return lists;
}

/** @param artifact its digest, or its tag */
async function listsIn(store: SignatureStore, artifact: string, blobs: readonly Descriptor[]): Promise<SoftwareList[]> {
  const lists: SoftwareList[] = [];
  for (const blob of blobs) {
    const path = `artifact ${artifact} (${blob.mediaType})`;
    if (blob.size > LIST_MAX_BYTES) {
      throw new SealrootError(
        "unsupported",
        `Cannot read the list of software of the ${path}: it has ${blob.size} bytes`,
      );
    }
    const bytes = await store.blobs.readWhole(blob);
    lists.push({ path, sizeBytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
  }
  return lists;
}
