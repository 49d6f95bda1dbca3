/** The objects of a repository and the check of their contents. */

import { relative } from "node:path";
import { objectFaults } from "../../objects/index.ts";
import type { Repository } from "../repository.ts";
import type { Finding } from "./fsck-report.ts";

interface ObjectListing {
  /** A look-up here costs a fiftieth of one in the file system, and images name every object. */
  readonly objectIds: ReadonlySet<string>;
  readonly findings: readonly Finding[];
}

/** All files below `objects/`; those that are not objects are findings. */
export function listObjects(repository: Repository): ObjectListing {
  const objectIds = new Set<string>();
  const findings: Finding[] = [];
  for (const { objectId, path, kind } of repository.objects.entries()) {
    if (objectId !== undefined && kind === "file") objectIds.add(objectId);
    else findings.push({ kind: "object-invalid-name", path: relative(repository.path, path) });
  }
  return { objectIds, findings };
}

/**
 * Hashes objects in parallel and compares them with their names.
 * @param onChecked called with the number of objects that were checked since the last call
 */
export async function checkObjectContents(
  repository: Repository,
  objectIds: Iterable<string>,
  onChecked: (objects: number) => void,
): Promise<Finding[]> {
  const { settings } = repository.objects;
  const faults = await objectFaults(settings, repository.workers, objectIds, onChecked);
  return faults.map(([objectId, fault]) => ({
    ...fault,
    path: relative(repository.path, repository.objects.path(objectId)),
  }));
}
