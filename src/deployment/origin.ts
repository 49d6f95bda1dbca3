/** Origin files: where a deployment came from (spec/host.md 1.3). */
import { formatIni, parseIni, withIniKey } from "../bls/index.ts";
import { corrupt } from "../errors/index.ts";

/**
 * What a deployment boots from: kernel and initramfs on the disk, a UKI, or an Android boot image (bootc 1.17 and later;
 * read here, never made).
 */
export type BootType = (typeof BOOT_TYPES)[number];

const BOOT_TYPES = ["bls", "uki", "aboot"] as const;

/** What `state/deploy/<id>/<id>.origin` says. */
export interface Origin {
  /** Skopeo-style reference from which the host updates, such as `docker://quay.io/example/os:latest`. */
  readonly imageReference: string;
  readonly bootType: BootType;
  /** SHA-256 hex of kernel, initramfs and device tree; undefined in files of old UKI deployments. */
  readonly bootDigest: string | undefined;
  /** `sha256:<hex>`; undefined in files of old deployments. */
  readonly manifestDigest: string | undefined;
  /** Neither an update nor anything that makes room removes it. Ours; bootc keeps the key and does not know it. */
  readonly pinned: boolean;
}

/** The section of what sealroot alone knows of a deployment; bootc keeps sections that it does not know. */
export const OWN_SECTION = "sealroot";
const PINNED = { key: "pinned", value: "true" } as const;

/** Written by upstream whatever policy was enforced (spec/host.md 1.3); read as "no signature required". */
const UNVERIFIED_IMAGE = "ostree-unverified-image:";
const UNVERIFIED_REGISTRY = "ostree-unverified-registry:";

/**
 * The text of an origin file.
 * @throws SealrootError `corrupt` for a reference with line breaks
 */
export function formatOrigin(origin: Origin): string {
  const boot = new Map<string, string>([["boot_type", origin.bootType]]);
  if (origin.bootDigest !== undefined) boot.set("digest", origin.bootDigest);
  const file = new Map<string, Map<string, string>>([
    ["origin", new Map([["container-image-reference", `${UNVERIFIED_IMAGE}${origin.imageReference}`]])],
    ["boot", boot],
  ]);
  if (origin.manifestDigest !== undefined) {
    file.set("image", new Map([["manifest_digest", origin.manifestDigest]]));
  }
  if (origin.pinned) file.set(OWN_SECTION, new Map([[PINNED.key, PINNED.value]]));
  return formatIni(file);
}

/**
 * The text of an origin file with the deployment pinned, or not; every other byte stays.
 * @throws SealrootError `corrupt` for a text that is not an origin file
 */
export function withPinned(text: string, pinned: boolean, path: string): string {
  if (parseOrigin(text, path).pinned === pinned) return text;
  return withIniKey(text, OWN_SECTION, PINNED.key, pinned ? PINNED.value : undefined);
}

/**
 * The text of an origin file whose deployment came from another reference, or of another manifest with the same content;
 * every other byte stays.
 *
 * @throws SealrootError `corrupt` for a text that is not an origin file
 */
export function withImage(
  text: string,
  { imageReference, manifestDigest }: { readonly imageReference: string; readonly manifestDigest: string },
  path: string,
): string {
  parseOrigin(text, path);
  const named = withIniKey(text, "origin", "container-image-reference", `${UNVERIFIED_IMAGE}${imageReference}`);
  return withIniKey(named, "image", "manifest_digest", manifestDigest);
}

/**
 * The text of an origin file with another boot digest; every other byte stays.
 * @throws SealrootError `corrupt` for a text that is not an origin file
 */
export function withBootDigest(text: string, digest: string, path: string): string {
  parseOrigin(text, path);
  return withIniKey(text, "boot", "digest", digest);
}

/**
 * Reads an origin file.
 *
 * @param path names the file in errors
 * @throws SealrootError `corrupt` when reference or boot type is missing or unknown
 */
export function parseOrigin(text: string, path: string): Origin {
  const file = parseIni(text, `origin file ${path}`);
  const reference = file.get("origin")?.get("container-image-reference");
  if (reference === undefined) {
    throw corrupt(`Cannot read origin file ${path}: container-image-reference is missing`, { path });
  }
  const value = file.get("boot")?.get("boot_type");
  const bootType = BOOT_TYPES.find((known) => known === value);
  if (bootType === undefined) {
    throw corrupt(`Cannot read origin file ${path}: boot_type is ${value ?? "missing"}`, { path });
  }
  return {
    imageReference: plainReference(reference),
    bootType,
    bootDigest: file.get("boot")?.get("digest"),
    manifestDigest: file.get("image")?.get("manifest_digest"),
    pinned: file.get(OWN_SECTION)?.get(PINNED.key) === PINNED.value,
  };
}

/**
 * The skopeo-style part of ostree's references; the signed forms keep their prefix, as a policy must not be dropped
 * here.
 */
function plainReference(reference: string): string {
  if (reference.startsWith(UNVERIFIED_IMAGE)) return reference.slice(UNVERIFIED_IMAGE.length);
  if (reference.startsWith(UNVERIFIED_REGISTRY)) return `docker://${reference.slice(UNVERIFIED_REGISTRY.length)}`;
  return reference;
}
