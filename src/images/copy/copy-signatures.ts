/** What belongs to an image and is kept beside it: cosign's tags, and manifests that name it as their subject. */
import { SealrootError } from "../../errors/index.ts";
import { silent } from "../../events/index.ts";
import type { ImageSource, SignatureStore } from "../../oci/index.ts";
import {
  COSIGN_TAG_SUFFIXES,
  cosignTag,
  type Descriptor,
  describeDocument,
  formatReference,
  type ImageReference,
  MEDIA_TYPE,
  OciLayout,
  type PathReference,
  type RegistryReference,
  readManifest,
  referrersTag,
} from "../../oci/index.ts";
import type { RegistryOptions } from "../../registry/index.ts";
import type { ImageDestination } from "./destination.ts";
import { toDestination } from "./open-destination.ts";
import { verbatimContent } from "./source-content.ts";
import { writeImage } from "./write-image.ts";

/** What refers to one manifest and is copied; each costs several requests. */
const REFERRERS_MAX = 1024;

/** Places that can hold more than one image. */
export type SharedPlace = RegistryReference | (PathReference & { readonly transport: "oci" });

export interface CopySignaturesOptions {
  readonly registry?: RegistryOptions | undefined;
}

/** @throws SealrootError `unsupported` for a place that holds one image and nothing else */
export function sharedPlace(reference: ImageReference): SharedPlace {
  const { transport } = reference;
  if (transport === "docker") return reference;
  if (transport === "oci") return { ...reference, transport };
  const text = formatReference(reference);
  throw new SealrootError("unsupported", `Cannot copy signatures to ${text}: there is no place beside the image`, {
    path: text,
    hint: "write docker://HOST/NAME:TAG or oci:DIRECTORY:TAG, or leave out --signatures",
  });
}

/**
 * Copies everything that belongs to some manifests, unchanged. Its readers must judge what it is worth.
 *
 * @param digests of the manifests, which are the same at both places
 * @param target names the place; its tag and digest are ignored
 * @throws SealrootError as openDestination and writeImage
 */
export async function copySignatures(
  source: ImageSource,
  digests: readonly string[],
  target: SharedPlace,
  options: CopySignaturesOptions,
): Promise<void> {
  const { signatures } = source;
  if (signatures === undefined) return;
  for (const digest of digests) {
    await taggedSignatures(source, signatures, digest, target, options);
    // No type is requested: all of them are wanted.
    const referrers = await signatures.listReferrers(digest, "");
    if (referrers.length === 0) continue;
    if (referrers.length > REFERRERS_MAX) {
      throw new SealrootError(
        "unsupported",
        `Cannot copy what refers to ${digest}: there are more than ${REFERRERS_MAX}`,
      );
    }
    if (target.transport === "oci") await listedReferrers(source, signatures, digest, referrers, target);
    else await subjectReferrers(source, signatures, referrers, target, options);
  }
}

async function taggedSignatures(
  source: ImageSource,
  signatures: SignatureStore,
  digest: string,
  target: SharedPlace,
  options: CopySignaturesOptions,
): Promise<void> {
  for (const suffix of COSIGN_TAG_SUFFIXES) {
    const tag = cosignTag(digest, suffix);
    const found = await signatures.fetchTagged(tag);
    if (found?.mediaType !== MEDIA_TYPE.manifest) continue;
    const { mediaType, bytes } = found;
    await toDestination(besides(target, { tag }), options, (destination) =>
      writeOne(source, describeDocument(mediaType, bytes), bytes, destination, "named"),
    );
  }
}

/** A registry lists a manifest under its subject when it receives it. */
async function subjectReferrers(
  source: ImageSource,
  signatures: SignatureStore,
  referrers: readonly Descriptor[],
  target: SharedPlace,
  options: CopySignaturesOptions,
): Promise<void> {
  for (const referrer of referrers) {
    const { bytes } = await signatures.fetchManifest(referrer);
    await toDestination(besides(target, { digest: referrer.digest }), options, (destination) =>
      writeOne(source, referrer, bytes, destination, "named"),
    );
  }
}

/** A layout has the list under a tag (OCI distribution specification, "Referrers Tag Schema"). */
async function listedReferrers(
  source: ImageSource,
  signatures: SignatureStore,
  digest: string,
  referrers: readonly Descriptor[],
  target: PathReference,
): Promise<void> {
  await toDestination(target, {}, async (destination) => {
    for (const referrer of referrers) {
      const { bytes } = await signatures.fetchManifest(referrer);
      await writeOne(source, referrer, bytes, destination, "part");
    }
  });
  const layout = await OciLayout.open(target.path);
  await layout.enterReferrers(referrersTag(digest), referrers);
}

/** Another name at the same place. */
function besides(target: SharedPlace, name: { readonly tag?: string; readonly digest?: string }): SharedPlace {
  if (target.transport === "oci") return { ...target, tag: name.tag };
  return { ...target, tag: name.tag, digest: name.digest };
}

async function writeOne(
  source: ImageSource,
  descriptor: Descriptor,
  bytes: Uint8Array,
  destination: ImageDestination,
  role: "named" | "part",
): Promise<void> {
  const content = await verbatimContent(source, descriptor, readManifest(bytes, descriptor.digest), bytes);
  await writeImage(content, destination, role, { preserveDigests: true, events: silent });
}
