/** What a garbage collection will delete: found out first, so that a dry run says exactly what a run does. */
import { lstatSync } from "node:fs";
import { join, relative } from "node:path";
import { findLeftovers } from "./fsck-leftovers.ts";
import { checkLinks } from "./fsck-links.ts";
import type { Finding } from "./fsck-report.ts";
import { findLiveObjects } from "./gc-live.ts";
import type { LinkKind } from "./names.ts";
import { sortedEntries } from "./object-store.ts";
import type { Repository } from "./repository.ts";

/** All paths are relative to the repository. */
export interface GcPlan {
  readonly objects: readonly string[];
  readonly objectsBytes: number;
  /** Links that lead nowhere, or to one of the objects. */
  readonly imageLinks: readonly string[];
  readonly streamLinks: readonly string[];
  readonly leftovers: readonly string[];
  /** Directories of objects that are empty, or will be. */
  readonly emptyDirectories: readonly string[];
  /** What is not as it should be and will be stepped over. */
  readonly notices: readonly Finding[];
}

/**
 * Finds what no reference needs; changes nothing.
 * @throws SealrootError `corrupt` when something that is in use cannot be read
 */
export function planCollection(repository: Repository, roots: readonly string[]): GcPlan {
  const { live, notices } = findLiveObjects(repository, roots);
  const dead = new Set<string>();
  const strays: Finding[] = [];
  const objects: string[] = [];
  const keptDirectories = new Set<string>();
  let objectsBytes = 0;
  for (const { objectId, path, kind } of repository.objects.entries()) {
    const file = relative(repository.path, path);
    if (objectId === undefined || kind !== "file") strays.push({ kind: "object-invalid-name", path: file });
    else if (!live.has(objectId)) {
      objectsBytes += lstatSync(path).size;
      dead.add(objectId);
      objects.push(file);
      continue;
    }
    keptDirectories.add(file.slice(0, file.lastIndexOf("/")));
  }
  return {
    objects,
    objectsBytes,
    imageLinks: deadLinks(repository, "images", dead),
    streamLinks: deadLinks(repository, "streams", dead),
    leftovers: findLeftovers(repository).map(({ path }) => path),
    emptyDirectories: objectDirectories(repository).filter((path) => !keptDirectories.has(path)),
    notices: [...notices, ...strays],
  };
}

/** All that the plan deletes, in the order in which it goes. */
export function plannedPaths(plan: GcPlan): string[] {
  return [...plan.imageLinks, ...plan.streamLinks, ...plan.objects, ...plan.leftovers, ...plan.emptyDirectories];
}

/** No reference leads to an entry whose object is dead, or the object would be in use. */
function deadLinks(repository: Repository, kind: LinkKind, dead: ReadonlySet<string>): string[] {
  const { entries, findings } = checkLinks(repository.path, kind, repository.algorithm);
  const dangling = findings.filter((finding) => finding.kind === "broken-symlink").map(({ path }) => path);
  const emptied = entries.filter(({ objectId }) => dead.has(objectId)).map(({ entry }) => join(kind, entry));
  return [...dangling, ...emptied];
}

function objectDirectories(repository: Repository): string[] {
  return sortedEntries(repository.objects.settings.directory).flatMap((child) =>
    /^[0-9a-f]{2}$/.test(child.name) && child.isDirectory() ? [join("objects", child.name)] : [],
  );
}
