/** A file system whose files can share blocks. Needs root and mkfs.xfs (xfsprogs). */
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../src/platform/index.ts";

/** The smallest that mkfs.xfs makes; the file is sparse. */
const XFS_BYTES = 320 << 20;

/** Runs with a fresh XFS, made and mounted below `directory`. */
export async function withXfs(directory: string, work: (mounted: string) => Promise<void>): Promise<void> {
  const image = join(directory, "xfs");
  const mounted = join(directory, "mounted");
  writeFileSync(image, "");
  truncateSync(image, XFS_BYTES);
  mkdirSync(mounted);
  await runTool("mkfs.xfs", ["-q", image]);
  await runTool("mount", ["-o", "loop", image, mounted]);
  try {
    await work(mounted);
  } finally {
    await runTool("umount", [mounted]);
  }
}
