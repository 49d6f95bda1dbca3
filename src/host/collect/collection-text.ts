/** A garbage collection of a host in words, and as JSON. */
import { gcLines } from "../../repository/index.ts";
import type { HostCollection } from "./collect-host.ts";
import type { PlannedItem } from "./item.ts";

/** Every boot file and state directory by its name; of the repository, which has thousands of objects, the sums. */
export function collectionLines({ dryRun, bootFiles, state, staleRecord, images, bytes }: HostCollection): string[] {
  const items = (name: string, list: readonly PlannedItem[]) => {
    const sum = list.reduce((total, item) => total + item.bytes, 0);
    return [`${name}: ${list.length} removed (${sum} bytes)`, ...list.map(({ path }) => `  ${path}`)];
  };
  return [
    ...(dryRun ? ["Dry run (no files deleted):"] : []),
    ...items("Boot files", bootFiles),
    ...items("State", state),
    ...(staleRecord === undefined ? [] : [`Staged record: removed (${staleRecord} has no staged boot entry)`]),
    ...(images === undefined ? [] : gcLines(images.report, false)),
    ...(images?.tagged ?? []).map((digest) => `Tagged: ${digest}`),
    `Total: ${bytes} bytes`,
  ];
}

/** For `--json`; docs/schema/gc.json. */
export function collectionJson({ images, problems, ...collection }: HostCollection): object {
  const { dryRun, bootFiles, state, staleRecord, isIncomplete, bytes } = collection;
  const { report, tagged = [] } = images ?? {};
  return {
    dryRun,
    bytes,
    bootFiles,
    state,
    staleRecord: staleRecord ?? null,
    repository:
      report === undefined
        ? null
        : {
            objectsRemoved: report.objectsRemoved,
            objectsBytes: report.objectsBytes,
            imagesPruned: report.imagesPruned,
            streamsPruned: report.streamsPruned,
            tagged,
            paths: report.paths,
          },
    isIncomplete,
    problems: problems.map(({ subject, error }) => ({ subject, message: error.message })),
  };
}
