/** What is recorded about a deployment. */
import { type BootParts, bootDigest } from "../bootimage/index.ts";
import type { Origin } from "./origin.ts";

/** A deployment on the list of deployments: its name there, and its origin file. */
export interface DeploymentRecord {
  readonly deploymentId: string;
  readonly origin: Origin;
}

/**
 * The record of a deployment that boots from a UKI.
 *
 * @param imageReference skopeo-style, from which the host updates
 * @param uki the sections that boot
 */
export function recordOfUki(
  { deploymentId, manifestDigest }: { readonly deploymentId: string; readonly manifestDigest: string },
  imageReference: string,
  uki: BootParts,
): DeploymentRecord {
  return {
    deploymentId,
    origin: { imageReference, bootType: "uki", bootDigest: bootDigest(uki), manifestDigest, pinned: false },
  };
}
