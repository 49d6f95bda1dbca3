/** Platforms: this machine's, as text, and which image fits which (spec/chunked-and-policy.md 4.3). */
import { SealrootError } from "../errors/index.ts";
import type { ImageConfig, Platform } from "./documents.ts";

/** Go's names of architectures, which OCI uses, by Node's (OCI image specification, config.md; GOARCH). */
const ARCHITECTURE_OF_NODE: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

/** Variants of an architecture; each runs what is made for the later ones. For amd64 they are the psABI's levels. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  amd64: ["v4", "v3", "v2", "v1"],
  arm: ["v8", "v7", "v6", "v5"],
  arm64: ["v8"],
};

/** Architectures where every machine runs the lowest variant, but not the higher ones. */
const LOWEST_FIRST: ReadonlySet<string> = new Set(["amd64"]);

/** The platform this program runs on, in OCI's words. */
export function runningPlatform(): Platform {
  return { os: process.platform, architecture: ARCHITECTURE_OF_NODE[process.arch] ?? process.arch };
}

/**
 * The platform that `OS/ARCHITECTURE[/VARIANT]` means.
 * @throws SealrootError `usage`
 */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text);
  const [, os, architecture, variant] = match ?? [];
  if (os === undefined || architecture === undefined) {
    throw new SealrootError("usage", `Cannot read platform: "${text}" is not OS/ARCHITECTURE`, {
      hint: "write it as linux/amd64, or linux/arm/v7",
    });
  }
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

/**
 * The platform that an image configuration names.
 *
 * @param digest names the configuration in errors
 * @throws SealrootError `unsupported` when it names none: bootc and cfsctl refuse such a configuration (oci-spec-rs,
 *   ImageConfiguration), and what is booted must be for this machine
 */
export function platformOf({ architecture, os, variant }: ImageConfig, digest: string): Platform {
  if (architecture !== undefined && os !== undefined) {
    return { architecture, os, ...(variant !== undefined && { variant }) };
  }
  const missing = [architecture === undefined && "architecture", os === undefined && "os"]
    .filter(Boolean)
    .join(" and ");
  const what = `Cannot use image configuration ${digest}: it does not say its ${missing}`;
  throw new SealrootError("unsupported", what, {
    hint: "build the image again for a platform, such as podman build --platform linux/amd64",
  });
}

/** `OS/ARCHITECTURE[/VARIANT]`; unknown parts are question marks. */
export function formatPlatform({
  os,
  architecture,
  variant,
}: Pick<ImageConfig, "os" | "architecture" | "variant">): string {
  return `${os ?? "?"}/${architecture ?? "?"}${variant === undefined ? "" : `/${variant}`}`;
}

/**
 * How well an image for `offered` fits: 0 is best, undefined means that it does not run. If a variant is wanted, it
 * comes first, then lower ones, then an image that names none; if none is wanted, that comes first.
 */
export function platformRank(
  wanted: Platform,
  offered: Pick<ImageConfig, "os" | "architecture" | "variant">,
): number | undefined {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return undefined;
  const rank = suitableVariants(wanted).indexOf(offered.variant || undefined);
  return rank === -1 ? undefined : rank;
}

function suitableVariants({ architecture, variant }: Platform): readonly (string | undefined)[] {
  const known = VARIANTS[architecture] ?? [];
  if (variant === undefined) return [undefined, ...(LOWEST_FIRST.has(architecture) ? known.toReversed() : known)];
  const position = known.indexOf(variant);
  return position === -1 ? [variant, undefined] : [...known.slice(position), undefined];
}
