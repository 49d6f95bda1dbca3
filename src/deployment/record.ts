/** What is recorded about a deployment. */
import { type BootParts, bootDigest, type Type1Files } from "../bootimage/index.ts";
import type { Origin } from "./origin.ts";

/** A deployment on the list of deployments: its name there, and its origin file. */
export interface DeploymentRecord {
  readonly deploymentId: string;
  readonly origin: Origin;
}

/** Names of what was staged. */
interface DeploymentImageIds {
  readonly deploymentId: string;
  readonly manifestDigest: string;
}

/**
 * The record of a deployment that boots from a UKI.
 *
 * @param imageReference skopeo-style, from which the host updates
 * @param uki the sections that boot
 */
export function recordOfUki(image: DeploymentImageIds, imageReference: string, uki: BootParts): DeploymentRecord {
  return recordOf(image, imageReference, "uki", uki);
}

/**
 * The record of a deployment that a Type 1 entry starts.
 *
 * @param imageReference skopeo-style, from which the host updates
 * @param files kernel and initramfs
 */
export function recordOfType1(image: DeploymentImageIds, imageReference: string, files: Type1Files): DeploymentRecord {
  return recordOf(image, imageReference, "bls", { ...files, deviceTree: undefined });
}

function recordOf(
  { deploymentId, manifestDigest }: DeploymentImageIds,
  imageReference: string,
  bootType: "bls" | "uki",
  parts: BootParts,
): DeploymentRecord {
  return {
    deploymentId,
    origin: { imageReference, bootType, bootDigest: bootDigest(parts), manifestDigest, pinned: false },
  };
}
