/** The deployments of a physical root: their state directories and what their origin files say (spec/host.md 1.2, 1.3). */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { writeFileAtomically } from "../platform/index.ts";
import { parseOrigin, withBootDigest, withPinned } from "./origin.ts";
import { isDeploymentId, originPath } from "./paths.ts";
import type { DeploymentRecord } from "./record.ts";

/** A state directory whose record is missing or cannot be read. */
export interface UnusableDeployment {
  readonly deploymentId: string;
  readonly error: SealrootError;
}

export interface DeploymentListing {
  readonly deployments: readonly DeploymentRecord[];
  readonly unusable: readonly UnusableDeployment[];
}

/** Where the state of all deployments is, below the physical root. */
const STATE_DEPLOY = "state/deploy";

/**
 * All deployments that have a state directory, one bad one never hiding the others. Names that are not ids are passed
 * over.
 *
 * @throws SealrootError when the folder cannot be listed; one that is absent has no deployments
 */
export function listDeployments(physicalRoot: string): DeploymentListing {
  const deployments: DeploymentRecord[] = [];
  const unusable: UnusableDeployment[] = [];
  for (const deploymentId of stateNames(join(physicalRoot, STATE_DEPLOY))) {
    try {
      deployments.push(readDeployment(physicalRoot, deploymentId));
    } catch (error) {
      const path = join(physicalRoot, originPath(deploymentId));
      unusable.push({ deploymentId, error: asSealrootError(error, "Cannot read origin file", { path }) });
    }
  }
  return { deployments, unusable };
}

/** @throws SealrootError `not-found` without origin file, `corrupt` for one that is not one */
export function readDeployment(physicalRoot: string, deploymentId: string): DeploymentRecord {
  const path = join(physicalRoot, originPath(deploymentId));
  return { deploymentId, origin: parseOrigin(readOrigin(path, deploymentId).toString("utf8"), path) };
}

/**
 * Marks a deployment as pinned, or not; every other byte of its origin file stays.
 *
 * @returns false when it was so before
 * @throws SealrootError as readDeployment
 */
export function setDeploymentPinned(physicalRoot: string, deploymentId: string, pinned: boolean): boolean {
  return changeOrigin(physicalRoot, deploymentId, (text, path) => withPinned(text, pinned, path));
}

/**
 * Corrects the boot digest that a deployment's origin file states; every other byte stays.
 *
 * @returns false when it was so before
 * @throws SealrootError as readDeployment
 */
export function setBootDigest(physicalRoot: string, deploymentId: string, digest: string): boolean {
  return changeOrigin(physicalRoot, deploymentId, (text, path) => withBootDigest(text, digest, path));
}

function changeOrigin(
  physicalRoot: string,
  deploymentId: string,
  change: (text: string, path: string) => string,
): boolean {
  const path = join(physicalRoot, originPath(deploymentId));
  const before = readOrigin(path, deploymentId).toString("latin1");
  const after = change(before, path);
  if (after === before) return false;
  try {
    writeFileAtomically(path, Buffer.from(after, "latin1"));
  } catch (error) {
    throw asSealrootError(error, "Cannot write the origin file", { path });
  }
  return true;
}

function readOrigin(path: string, deploymentId: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    // The words of bootc's journal message.
    if (hasErrno(error, "ENOENT")) {
      throw new SealrootError("not-found", `No origin file for deployment ${deploymentId}`, { path });
    }
    throw asSealrootError(error, "Cannot read the origin file", { path });
  }
}

function stateNames(directory: string): string[] {
  try {
    return readdirSync(directory).filter(isDeploymentId).sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw asSealrootError(error, "Cannot list the deployments", { path: directory });
  }
}
