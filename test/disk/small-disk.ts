/** A disk made as `install` makes one, with content of the test's choice. */
import { mkdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../../src/bytes/index.ts";
import {
  type DiskEntry,
  type EspFile,
  EXT4,
  type PartitionPlan,
  type PlannedRoot,
  planPartitions,
  type WorkDisk,
  writeEsp,
  writePartitionTable,
} from "../../src/disk/index.ts";
import { newMetadata } from "../../src/tree/index.ts";

const MIB = 1024 * 1024;

export interface SmallDiskOptions {
  readonly sizeMib: number;
  readonly espMib?: number;
  readonly espFiles: readonly EspFile[];
  readonly entries: readonly DiskEntry[];
  readonly epochSeconds: number;
}

export interface SmallDisk {
  readonly disk: WorkDisk;
  readonly plan: PartitionPlan;
  readonly content: PlannedRoot;
}

/** Makes `directory` with a file `disk` in it. */
export async function makeSmallDisk(directory: string, options: SmallDiskOptions): Promise<SmallDisk> {
  const { epochSeconds } = options;
  mkdirSync(directory);
  const disk = { directory, path: "disk" };
  const plan = planPartitions({
    diskSizeBytes: options.sizeMib * MIB,
    ...(options.espMib === undefined ? {} : { espSizeBytes: options.espMib * MIB }),
    architecture: "amd64",
    seed: "test",
  });
  writeFileSync(join(directory, "disk"), "");
  truncateSync(join(directory, "disk"), plan.diskSizeBytes);
  await writePartitionTable(disk, plan);
  await writeEsp(disk, { partition: plan.esp, epochSeconds, directories: ["EFI/Linux"], files: options.espFiles });
  const content = planOf(options.entries);
  await content.make(disk, {
    startBytes: plan.root.startBytes,
    sizeBytes: plan.root.sizeBytes,
    diskIsZeroed: true,
    uuid: "11111111-2222-4333-8444-555555555555",
    label: "root",
    epochSeconds,
  });
  return { disk, plan, content };
}

/** The plan of these entries, which need not begin with the root directory. */
export function planOf(entries: readonly DiskEntry[]): PlannedRoot {
  const root: DiskEntry = { kind: "directory", path: "" as ByteString, metadata: newMetadata({ mode: 0o755 }) };
  return EXT4.plan(entries[0]?.path === "" ? entries : [root, ...entries], {
    hashSeed: "11111111-2222-4333-8444-666666666666",
    sizeOf: ({ source }) => statSync(source).size,
  });
}
