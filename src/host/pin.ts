/** Pinned deployments: neither an update nor anything that makes room removes them. */
import { setDeploymentPinned } from "../deployment/index.ts";
import type { HostPlaces } from "./host-places.ts";

export interface Pinned {
  readonly deploymentId: string;
  readonly pinned: boolean;
  /** False when it was so before. */
  readonly changed: boolean;
}

/**
 * Pins a deployment, or lets go of it: a mark of ours in its origin file, which bootc keeps and does not know.
 *
 * @throws SealrootError `not-found` for a deployment without origin file, `corrupt` for one that cannot be read
 */
export function setPinned({ physicalRoot }: HostPlaces, deploymentId: string, pinned: boolean): Pinned {
  return { deploymentId, pinned, changed: setDeploymentPinned(physicalRoot, deploymentId, pinned) };
}

/** What is said of it. */
export function pinText({ deploymentId, pinned, changed }: Pinned): string {
  if (!changed) return `Deployment ${deploymentId} is ${pinned ? "pinned already" : "not pinned"}`;
  return `${pinned ? "Pinned" : "Unpinned"} deployment ${deploymentId}`;
}
