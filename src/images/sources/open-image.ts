/** One image at a source, chosen by tag and platform (spec/oci.md 2). */
import type {
  BlobReader,
  Descriptor,
  ImageReference,
  ImageSource,
  OpenedPlace,
  Platform,
  SignatureStore,
  UnpackedLayers,
} from "../../oci/index.ts";
import { nameOfReference, runningPlatform } from "../../oci/index.ts";
import {
  enforcePolicy,
  loadPolicy,
  MACHINE_POLICY,
  type PolicyChoice,
  type PolicySubject,
} from "../../policy/index.ts";
import type { RegistryOptions } from "../../registry/index.ts";
import { chooseImage, type ReadImage } from "./choose-image.ts";
import { openSource } from "./open-source.ts";

/** An image whose manifest and configuration have been read and checked against their digests. */
export interface OpenedImage extends ReadImage {
  readonly blobs: BlobReader;
  /** For places that keep layers unpacked instead of as blobs. */
  readonly unpacked: UnpackedLayers | undefined;
  /** As in its source. */
  readonly remote: boolean;
  /** What lies beside it there, if the place can hold it. */
  readonly signatures?: SignatureStore | undefined;
  close(): Promise<void>;
}

export interface OpenImageOptions {
  /** Which of several images is wanted; the running machine's if absent. */
  readonly platform?: Platform | undefined;
  /** How to talk to a registry. */
  readonly registry?: RegistryOptions | undefined;
  /** A configuration that need not be fetched: its bytes, known to have this digest; undefined if it must be. */
  readonly configAtHand?: (digest: string) => Promise<Uint8Array | undefined>;
  /**
   * The name that the image is to have, if that is another than where it is taken from: it must satisfy the policy of
   * that name.
   */
  readonly identity?: ImageReference | undefined;
  /** Decides whether the image may be used; the machine's policy if absent. */
  readonly policy?: PolicyChoice;
}

/**
 * Opens the image a reference names. The caller closes it.
 *
 * Image indexes are followed. Of several images the one for `platform` is used; a single image is used whatever its
 * platform, so that images can be sealed on another kind of machine.
 *
 * @throws SealrootError `not-found` listing the existing tags, `usage` when several images remain, `unsupported` for
 *   indexes nested too deep, `corrupt` for documents that do not match their digests or formats, `untrusted` when
 *   the policy does not accept the image; `no-access`, `no-network` and `timeout` of a registry
 */
export async function openImage(reference: ImageReference, options: OpenImageOptions = {}): Promise<OpenedImage> {
  const policy = options.policy ?? MACHINE_POLICY;
  // A policy that cannot be read refuses before anything is requested.
  await loadPolicy(policy);
  const source = await openSource(reference, options.registry);
  try {
    const image = await chooseImage(source, reference, options.platform ?? runningPlatform(), options.configAtHand);
    await enforcePolicy(
      policy,
      policySubject(options.identity ?? reference, policyPlace(options, source), source, image),
    );
    const { blobs, unpacked, remote, signatures } = source;
    return { ...image, blobs, unpacked, remote, signatures, close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Of an image that is to have the name of one in a registry, that name decides, wherever its bytes are taken from. */
export function policyPlace({ identity }: OpenImageOptions, { place }: ImageSource): OpenedPlace {
  return identity?.transport === "docker" ? { transport: "docker", name: nameOfReference(identity) } : place;
}

/**
 * The image as the policy sees it. Signatures are for what the source has: the manifest before conversion, and the
 * indexes it was reached through.
 *
 * @param reference as the user named the image
 */
function policySubject(
  reference: ImageReference,
  place: OpenedPlace,
  source: ImageSource,
  image: ReadImage,
): PolicySubject {
  const { descriptor, manifestBytes } = image.original;
  const readIndex = async (index: Descriptor) => ({
    digest: index.digest,
    bytes: await source.readManifest(index),
  });
  return {
    reference,
    place,
    manifest: { digest: descriptor.digest, bytes: manifestBytes },
    indexDigests: image.indexes.map(({ digest }) => digest),
    indexes: () => Promise.all(image.indexes.map(readIndex)),
    signatures: source.signatures,
  };
}
