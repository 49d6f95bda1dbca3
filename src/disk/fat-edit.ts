/** Changes files of an ESP inside a disk file, with mtools, as an ordinary user. */
import { unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runDiskTool } from "./disk-tool.ts";
import { type EspFile, MTOOLS_ENVIRONMENT, parentsOfEspFiles } from "./fat.ts";
import type { WorkDisk } from "./work-disk.ts";

export interface EspChanges {
  /** Files to write; one that is there is replaced. */
  readonly written: readonly EspFile[];
  /** Paths of files to remove. */
  readonly removed: readonly string[];
}

const TIMEOUT_MS = 300_000;
const WORK_NAME = "esp-file";

/**
 * @param disk a copy that nobody uses yet
 * @param startBytes where the ESP begins
 * @param hasFolder whether a folder is there already
 * @throws SealrootError `missing-tool`, `failed` (also when there is no room)
 */
export async function editEsp(
  disk: WorkDisk,
  startBytes: number,
  { written, removed }: EspChanges,
  hasFolder: (path: string) => boolean,
): Promise<void> {
  const image = `${disk.path}@@${startBytes}`;
  const run = { env: MTOOLS_ENVIRONMENT, timeoutMs: TIMEOUT_MS };
  for (const path of removed) await runDiskTool(disk, "mdel", ["-i", image, `::/${path}`], run);
  for (const folder of parentsOfEspFiles(written)) {
    if (!hasFolder(folder)) await runDiskTool(disk, "mmd", ["-i", image, `::/${folder}`], run);
  }
  for (const { path, bytes } of written) {
    const source = join(disk.directory, WORK_NAME);
    writeFileSync(source, bytes, { flag: "wx" });
    try {
      await runDiskTool(disk, "mcopy", ["-o", "-i", image, WORK_NAME, `::/${path}`], run);
    } finally {
      unlinkSync(source);
    }
  }
}
