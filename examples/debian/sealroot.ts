/** Calls this checkout's command line, as a user would. */
import { join } from "node:path";
import { SealrootError } from "../../src/errors/index.ts";
import { runTool, startTool } from "../../src/platform/index.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");

export interface RunSealrootOptions {
  /** True: prints nothing. False: the command has the terminal, and is shown first. */
  readonly quiet: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs one command to its end.
 * @throws SealrootError `failed` when its exit code is not 0
 */
export async function runSealroot(words: readonly string[], options: RunSealrootOptions): Promise<void> {
  const args = [MAIN, ...words];
  const env = options.env ?? {};
  if (options.quiet) {
    await runTool(process.execPath, args, { env });
    return;
  }
  console.log(`\n$ ${["sealroot", ...words].join(" ")}`);
  const tool = await startTool(process.execPath, args, { env, stdio: "inherit" });
  const { exitCode } = await tool.exited;
  if (exitCode !== 0) {
    throw new SealrootError("failed", `Cannot go on: sealroot ${words[0]} ended with exit code ${exitCode ?? "none"}`);
  }
}
