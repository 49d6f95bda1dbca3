/** Runs the programs that make disks, always in the same environment. */
import { type RunToolOptions, runTool, type ToolResult } from "../platform/index.ts";
import type { WorkDisk } from "./work-disk.ts";

/**
 * Runs a program in the disk's directory. It sees only PATH of this process's environment; its home directory, for
 * settings such as mtools's, is the disk's directory; its time zone is UTC.
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
