/** Where a deployment's state lies below the physical root (spec/host.md 1.2). Paths are relative to it. */

/** The one `/var` shared by all deployments; "default" is fixed. */
export const SHARED_VAR = "state/os/default/var";

/** A deployment's own directory. */
export function stateDirectory(deploymentId: string): string {
  return `state/deploy/${deploymentId}`;
}

/** What the `var` link in it says. */
export const VAR_LINK_TARGET = "../../os/default/var";

/** Path of a deployment's origin file. */
export function originPath(deploymentId: string): string {
  return `${stateDirectory(deploymentId)}/${deploymentId}.origin`;
}
