/** Temporary names that processes left behind (spec/repository.md 1, 6). */
import { sortedEntries, TEMPORARY_OBJECT_PREFIX } from "../../objects/index.ts";
import { derivedTemporaries } from "../derived-files.ts";
import { TEMPORARY_LINK_PREFIX } from "../link-store.ts";
import { TEMPORARY_META_PREFIX } from "../open/meta-file.ts";
import type { Repository } from "../repository.ts";
import type { Finding } from "./fsck-report.ts";

/** Temporaries of dead processes; also of living ones, unless the exclusive lock is held. */
export function findLeftovers(repository: Repository): Finding[] {
  const inRoot = namesOfFiles(repository.path).filter((name) =>
    [TEMPORARY_LINK_PREFIX, TEMPORARY_META_PREFIX].some((prefix) => name.startsWith(prefix)),
  );
  const inObjects = namesOfFiles(repository.objects.settings.directory).filter((name) =>
    name.startsWith(TEMPORARY_OBJECT_PREFIX),
  );
  const inOwn = derivedTemporaries(repository.path);
  const paths = [...inRoot, ...inObjects.map((name) => `objects/${name}`), ...inOwn].sort();
  return paths.map((path) => ({ kind: "leftover", path }));
}

/** No program leaves a directory. */
function namesOfFiles(directory: string): string[] {
  return sortedEntries(directory).flatMap((entry) => (entry.isDirectory() ? [] : [entry.name]));
}
