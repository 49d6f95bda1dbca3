/** An image whose boots failed on this host is not taken again by itself. */
import { SealrootError } from "../../errors/index.ts";
import type { HostPlaces } from "../host-places.ts";
import { readHost } from "../read-host.ts";
import { type FailedBoot, readFailedBoots, writeFailedBoots } from "./failed-boots.ts";

/** What an update would boot. */
export interface CandidateImage {
  readonly deploymentId: string;
  /** `sha256:<hex>` */
  readonly manifestDigest: string;
}

/**
 * All deployments whose boots failed on this host, newest first: those that are recorded, and those of which only the boot
 * entries know, as the record is written late in a boot and needs room on the disk. What cannot be read is a problem of the
 * host, which status tells.
 */
export async function failedBoots(places: HostPlaces): Promise<readonly FailedBoot[]> {
  return (await readHost(places)).failedBoots;
}

/** The failure of this very image; another image with the same root (a new kernel beside it) has its own chance. */
export function failedBootOf(failed: readonly FailedBoot[], image: CandidateImage): FailedBoot | undefined {
  return failed.find(({ deploymentId, manifestDigest }) =>
    manifestDigest === undefined ? deploymentId === image.deploymentId : manifestDigest === image.manifestDigest,
  );
}

/**
 * Refuses an image that failed before.
 *
 * @param action as in "upgrade to"
 * @param reference the image's name
 * @throws SealrootError `conflict`, with what failed
 */
export function refuseFailedImage(
  failed: readonly FailedBoot[],
  image: CandidateImage,
  action: string,
  reference: string,
): void {
  const found = failedBootOf(failed, image);
  if (found === undefined) return;
  const { failure, tries } = found;
  throw new SealrootError(
    "conflict",
    `Cannot ${action} ${reference}: this image did not boot on this host in ${triesText(tries)}: ${failure.message}`,
    {
      path: image.manifestDigest,
      ...(failure.expected !== undefined && { expected: failure.expected }),
      ...(failure.actual !== undefined && { actual: failure.actual }),
      hint: "wait for another image, or take it again with --retry-failed",
    },
  );
}

/** `3 tries` */
export function triesText(tries: number): string {
  return tries === 1 ? "1 try" : `${tries} tries`;
}

/**
 * Forgets that an image failed: it is to be tried again. Called when it is staged with `--retry-failed`.
 * @param physicalRoot writable
 */
export function forgetFailedImage(physicalRoot: string, image: CandidateImage): void {
  const recorded = readFailedBoots(physicalRoot);
  const found = failedBootOf(recorded, image);
  if (found === undefined) return;
  writeFailedBoots(
    physicalRoot,
    recorded.filter((one) => one !== found),
  );
}
