/** Pulling an image into a repository (spec/oci.md 2). */
import { SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep, silent } from "../../events/index.ts";
import { type OpenedImage, type OpenImageOptions, openImage } from "../../images/index.ts";
import { parseReference, platformOf } from "../../oci/index.ts";
import { MACHINE_POLICY, type PolicyChoice } from "../../policy/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { BootTimes } from "../../tree/index.ts";
import { readStoredConfig } from "../stored-image.ts";
import { manifestStreamName, TAG_DIRECTORY } from "../stream-names.ts";
import { encodeTag } from "../tag-names.ts";
import { type BootImageChooser, type RecordedImage, recordImage } from "./record-image.ts";

/** How an image is stored in a repository. */
export interface StoreOptions {
  /** Also make the boot variant. */
  readonly bootable?: boolean;
  /** Keep `user.*` attributes in the boot variant. */
  readonly keepUserXattrs?: boolean;
  /** How much of the time of `/usr` `/boot` and `/sysroot` get in the boot variant; the current rule if absent. */
  readonly bootTimes?: BootTimes;
  /** False leaves out the image that is mounted as it is. */
  readonly plainImage?: boolean;
  /** Instead of the one boot variant, those it picks, whatever made them. */
  readonly chooseBootImages?: BootImageChooser;
  /** Bytes that a layer may unpack to; if absent 100 times its blob, or 1 GiB if that is more. */
  readonly layerLimitBytes?: number;
  /**
   * For podman's store on the repository's file system: files whose blocks cannot be shared become objects by a hard
   * link. They get fs-verity in the store too, and can never be written again.
   */
  readonly linkFiles?: boolean;
  readonly events?: EventSink;
}

export interface PullOptions extends StoreOptions, Pick<OpenImageOptions, "platform" | "registry"> {
  /** The tag it gets in the repository; the reference itself if absent, as with the reference tool. */
  readonly name?: string;
  /** Decides whether the image may be pulled; the machine's policy if absent. */
  readonly policy?: PolicyChoice;
}

export interface PulledImage extends RecordedImage {
  readonly manifestDigest: string;
  readonly configDigest: string;
  readonly name: string;
}

/**
 * Pulls an image into the repository and tags it. For an image that is already there, only its manifest is read and the
 * tag set.
 *
 * @param reference such as `oci:DIRECTORY:TAG`
 * @throws SealrootError as openImage and recordImage
 */
export async function pullImage(
  repository: Repository,
  reference: string,
  options: PullOptions = {},
): Promise<PulledImage> {
  const { name = reference, policy = MACHINE_POLICY, events = silent } = options;
  // What cannot succeed fails before anything is fetched.
  encodeTag(name);
  repository.assertWritable();
  const configAtHand = (digest: string) => storedConfigBytes(repository, digest);
  const image = await runStep(events, "read image", () =>
    openImage(parseReference(reference), { ...options, policy, configAtHand }),
  );
  try {
    return await pullOpenedImage(repository, image, name, options);
  } finally {
    await image.close();
  }
}

/**
 * Pulls an image that is already open and accepted into the repository; the caller closes it.
 *
 * Every blob's digest and every diff id is checked as it streams, and the names come last: first the layers, each when
 * proven right, then images, configuration and manifest at once, then the tag. What an interrupted pull leaves is found
 * by the next one or collected by gc.
 *
 * @param name the tag it gets
 * @throws SealrootError as recordImage; `unsupported` for an image of no platform
 */
export async function pullOpenedImage(
  repository: Repository,
  image: OpenedImage,
  name: string,
  options: StoreOptions = {},
): Promise<PulledImage> {
  const tag = encodeTag(name);
  if (image.config !== undefined) platformOf(image.config, image.manifest.config.digest);
  const { bootable = false, keepUserXattrs = false, bootTimes = "full" } = options;
  const { plainImage, chooseBootImages, layerLimitBytes, linkFiles, events = silent } = options;
  const recorded = await recordImage(repository, image, {
    bootVariants: bootable ? [{ keepUserXattrs, bootTimes }] : [],
    plainImage,
    chooseBootImages,
    restore: false,
    layerLimitBytes,
    linkFiles,
    events,
  });
  const { digest: manifestDigest } = image.descriptor;
  repository.streams.setReference(`${TAG_DIRECTORY}/${tag}`, manifestStreamName(manifestDigest));
  return { ...recorded, manifestDigest, configDigest: image.manifest.config.digest, name };
}

/** A configuration from the repository, checked; undefined if it has no readable one. For openImage(), which then need not fetch it. */
export async function storedConfigBytes(repository: Repository, digest: string): Promise<Uint8Array | undefined> {
  try {
    return (await readStoredConfig(repository, digest, false))?.bytes;
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}
