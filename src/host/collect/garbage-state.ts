/** State directories that no deployment has, and what interrupted work left beside them (spec/host.md 1.2). */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDeploymentId, stateDirectory } from "../../deployment/index.ts";
import { asSealrootError, hasErrno } from "../../errors/index.ts";
import { isTemporaryName } from "../../platform/index.ts";
import type { HostPlaces } from "../host-places.ts";
import type { InUse } from "./in-use.ts";
import { type PlannedItem, plannedItem } from "./item.ts";

const STATE_DEPLOY = dirname(stateDirectory("0".repeat(64)));

/** What of the state directories is garbage. Only names of deployments, and temporary ones of ours, are among them. */
export function garbageState({ physicalRoot }: HostPlaces, inUse: InUse): PlannedItem[] {
  if (inUse.isUnclear) return [];
  const isGarbage = (name: string) => isTemporaryName(name) || (isDeploymentId(name) && !inUse.deploymentIds.has(name));
  return namesIn(join(physicalRoot, STATE_DEPLOY))
    .filter(isGarbage)
    .map((name) => plannedItem(physicalRoot, join(STATE_DEPLOY, name)));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw asSealrootError(error, "Cannot list the deployments", { path: directory });
  }
}
