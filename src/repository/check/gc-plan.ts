/** What a garbage collection will delete: determined first, so that a dry run says exactly what a run does. */

import { lstatSync } from "node:fs";
import { join, relative } from "node:path";
import { sortedEntries, TEMPORARY_OBJECT_PREFIX } from "../../objects/index.ts";
import type { LinkKind } from "../names.ts";
import type { Repository } from "../repository.ts";
import { findLeftovers } from "./fsck-leftovers.ts";
import { checkLinks } from "./fsck-links.ts";
import type { Finding } from "./fsck-report.ts";
import { findLiveObjects } from "./gc-live.ts";

const OBJECT_DIRECTORY = /^[0-9a-f]{2}$/;

/** All paths are relative to the repository. */
export interface GcPlan {
  /** References of streams that go first. */
  readonly references: readonly string[];
  readonly objects: readonly string[];
  readonly objectsBytes: number;
  /** Links that lead nowhere, or to one of the objects. */
  readonly imageLinks: readonly string[];
  readonly streamLinks: readonly string[];
  readonly leftovers: readonly string[];
  /** Directories of objects that are empty, or will be. */
  readonly emptyDirectories: readonly string[];
  /** Stray files that will be skipped. */
  readonly notices: readonly Finding[];
}

/**
 * Finds what no reference needs; changes nothing.
 * @param dropped references of streams, by their names below `refs/`, that do not count
 * @throws SealrootError `corrupt` when something in use cannot be read
 */
export function planCollection(
  repository: Repository,
  roots: readonly string[],
  dropped: readonly string[] = [],
): GcPlan {
  const { live, notices } = findLiveObjects(repository, roots, dropped);
  const references = dropped.filter((name) => repository.streams.referenceTarget(name) !== undefined);
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
  const imageLinks = examineLinks(repository, "images", dead);
  const streamLinks = examineLinks(repository, "streams", dead);
  return {
    references: references.map((name) => join("streams/refs", name)),
    objects,
    objectsBytes,
    imageLinks: imageLinks.dead,
    streamLinks: streamLinks.dead,
    leftovers: findLeftovers(repository).map(({ path }) => path),
    emptyDirectories: objectDirectories(repository).filter((path) => !keptDirectories.has(path)),
    notices: [...notices, ...foreignInObjects(repository), ...strays, ...imageLinks.strays, ...streamLinks.strays],
  };
}

/** Everything the plan deletes, in order of deletion. */
export function plannedPaths(plan: GcPlan): string[] {
  const { references, imageLinks, streamLinks, objects, leftovers, emptyDirectories } = plan;
  return [...references, ...imageLinks, ...streamLinks, ...objects, ...leftovers, ...emptyDirectories];
}

interface ExaminedLinks {
  /** Links that lead nowhere, or to one of the dead objects; no reference leads to the latter, or they would be in use. */
  readonly dead: readonly string[];
  /** What is not a link, or one that leads elsewhere. */
  readonly strays: readonly Finding[];
}

function examineLinks(repository: Repository, kind: LinkKind, dead: ReadonlySet<string>): ExaminedLinks {
  const { entries, findings } = checkLinks(repository.path, kind, repository.algorithm);
  const dangling = findings.filter((finding) => finding.kind === "broken-symlink").map(({ path }) => path);
  const emptied = entries.filter(({ objectId }) => dead.has(objectId)).map(({ entry }) => join(kind, entry));
  return {
    dead: [...dangling, ...emptied],
    strays: findings.filter((finding) => finding.kind !== "broken-symlink"),
  };
}

/** Beside the two-digit directories there are only temporary files. */
function foreignInObjects(repository: Repository): Finding[] {
  return sortedEntries(repository.objects.settings.directory).flatMap((child) => {
    const isOwn = child.isDirectory()
      ? OBJECT_DIRECTORY.test(child.name)
      : child.name.startsWith(TEMPORARY_OBJECT_PREFIX);
    return isOwn ? [] : [{ kind: "object-invalid-name", path: join("objects", child.name) } as const];
  });
}

function objectDirectories(repository: Repository): string[] {
  return sortedEntries(repository.objects.settings.directory).flatMap((child) =>
    OBJECT_DIRECTORY.test(child.name) && child.isDirectory() ? [join("objects", child.name)] : [],
  );
}
