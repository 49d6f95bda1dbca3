/** Runs the programs that make disks, each in the same surroundings whoever starts it. */
import { type RunToolOptions, runTool, type ToolResult } from "../platform/index.ts";
import type { WorkDisk } from "./work-disk.ts";

/**
 * Runs a program in the disk's directory. It sees no variable of this process but PATH; what it looks for in a home
 * directory, such as mtools's settings, it looks for in the disk's directory; its time zone is UTC.
 *
 * @throws SealrootError `missing-tool`, `timeout`, `failed`
 */
export function runDiskTool(
  disk: WorkDisk,
  name: string,
  args: readonly string[],
  options: RunToolOptions & { readonly timeoutMs: number },
): Promise<ToolResult> {
  const env = { HOME: disk.directory, TZ: "UTC", ...options.env };
  return runTool(name, args, { ...options, env, bareEnvironment: true, directory: disk.directory });
}
