/** Names and content types of an image's streams in the repository, and keys of its EROFS images (spec/oci.md 1). */

import type { Descriptor } from "../oci/index.ts";
import type { ErofsVersion } from "../repository/index.ts";
import type { BootTimes } from "../tree/index.ts";

/** Content types, eight ASCII characters each (spec/repository.md 4, "Content types"). */
export const CONTENT_TYPE = {
  layer: "ocilayer",
  config: "ociconfg",
  manifest: "ocimanif",
  blob: "oci_blob",
} as const;

/** Blobs of artifacts have the prefix of layers too. */
export const LAYER_STREAM_PREFIX = "oci-layer-";

export function layerStreamName(diffId: string): string {
  return `${LAYER_STREAM_PREFIX}${diffId}`;
}

export function configStreamName(digest: string): string {
  return `oci-config-${digest}`;
}

export const MANIFEST_STREAM_PREFIX = "oci-manifest-";

export function manifestStreamName(digest: string): string {
  return `${MANIFEST_STREAM_PREFIX}${digest}`;
}

/** The directory of tags below `streams/refs`. */
export const TAG_DIRECTORY = "oci";

/** The directory of artifacts that refer to an image; there is one directory for each image. */
export const REFERRERS_DIRECTORY = "oci-referrers";

/** How a manifest stream names its configuration's stream. */
export function configReferenceName(config: Pick<Descriptor, "digest">): string {
  return `config:${config.digest}`;
}

/** Which EROFS image of an OCI image is meant. */
export interface ImageVariant {
  readonly version: ErofsVersion;
  readonly bootable: boolean;
  readonly keepUserXattrs: boolean;
  /** Of a bootable one; the current rule if absent. */
  readonly bootTimes?: BootTimes;
}

const KEY_PREFIX = "composefs.image";

/**
 * The name under which a configuration's stream refers to an EROFS image. Versions 0 and 1 share one.
 *
 * `.times=seconds` is ours: cfsctl treats every name that begins with `composefs.image.boot` as a boot image, keeps it,
 * and reads version and attributes from the other parts (composefs-oci 0.9.4, `parse_boot_ref_key`).
 */
export function imageKey({ version, bootable, keepUserXattrs, bootTimes }: ImageVariant): string {
  const boot = bootable ? ".boot" : "";
  const format = version === 2 ? "" : ".v1";
  // Version 2 has no nanoseconds: there it is the same image.
  const times = bootable && bootTimes === "seconds" && version !== 2 ? ".times=seconds" : "";
  const xattrs = keepUserXattrs ? ".xattrs=keep-user-xattrs" : "";
  return `${KEY_PREFIX}${boot}${format}${times}${xattrs}`;
}

/** The meaning of an EROFS image's name; undefined for a name that means something else, or is unknown. */
export function parseImageKey(name: string): (ImageVariant & { readonly bootTimes: BootTimes }) | undefined {
  const match = /^composefs\.image(\.boot)?(\.v1)?(\.times=seconds)?(\.xattrs=keep-user-xattrs)?$/.exec(name);
  if (match === null) return undefined;
  const [, boot, format, times, xattrs] = match;
  return {
    version: format === undefined ? 2 : 1,
    bootable: boot !== undefined,
    keepUserXattrs: xattrs !== undefined,
    bootTimes: times === undefined ? "full" : "seconds",
  };
}

/** True for names that mean images; all others in a configuration's stream mean layers. */
export function isImageKey(name: string): boolean {
  return name === KEY_PREFIX || name.startsWith(`${KEY_PREFIX}.`);
}

/** True for names of images that mean a boot variant. */
export function isBootImageKey(name: string): boolean {
  return name.startsWith(`${KEY_PREFIX}.boot`);
}
