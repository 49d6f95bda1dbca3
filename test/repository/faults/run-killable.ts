/** Runs a program in a process whose system calls are counted, and which may be killed at one of them. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startTool } from "../../../src/platform/index.ts";

const PRELOAD = new URL("./preload.ts", import.meta.url).pathname;

/**
 * @param words the program and what it is told
 * @param scratch takes the trace, and compiled code
 * @param killAt the call, from 1; 0: none
 * @returns the calls it made, none when there was nothing to do; undefined when it was killed
 */
export async function runKillable(
  words: readonly string[],
  scratch: string,
  killAt = 0,
): Promise<string[] | undefined> {
  const trace = join(scratch, "trace");
  rmSync(trace, { force: true });
  const env = {
    SEALROOT_TRACE: trace,
    SEALROOT_KILL_AT: String(killAt),
    NODE_COMPILE_CACHE: join(scratch, "compiled"),
  };
  const child = await startTool(process.execPath, ["--import", PRELOAD, ...words], { env });
  let complaint = "";
  child.stderr?.on("data", (chunk) => {
    complaint += String(chunk);
  });
  child.stdout?.resume();
  const { exitCode, signal } = await child.exited;
  assert.ok(exitCode === 0 || signal === "SIGKILL", complaint);
  if (signal === "SIGKILL") return undefined;
  return existsSync(trace) ? readFileSync(trace, "utf8").trimEnd().split("\n") : [];
}
