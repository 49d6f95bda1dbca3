/** Tags derived from a manifest's digest, for what belongs to it. */
import { splitDigest } from "./digest.ts";

/**
 * The tag under which clients keep the list of referrers if the registry has no API for it, and layouts always do
 * (OCI distribution specification, "Referrers Tag Schema").
 */
export function referrersTag(digest: string): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}

/** What cosign keeps beside a manifest: signatures, attestations, bills of materials. */
export const COSIGN_TAG_SUFFIXES = ["sig", "att", "sbom"] as const;

/** The tag under which cosign keeps one of them (spec/chunked-and-policy.md 2.1). */
export function cosignTag(digest: string, suffix: (typeof COSIGN_TAG_SUFFIXES)[number]): string {
  return `${digest.replace(":", "-")}.${suffix}`;
}
