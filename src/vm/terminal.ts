/** A machine whose serial console is the user's terminal. */
import { closeSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { type RunningTool, startTool, temporaryDirectory } from "../platform/index.ts";
import { assembleMachine } from "./assemble.ts";
import { ConsoleLog } from "./console.ts";
import { machineArguments, machineProgram } from "./machine.ts";
import type { VirtualMachineOptions } from "./options.ts";
import { RefusalSearch } from "./refusal.ts";

/** The console's copy is read this often. */
const LOOK_INTERVAL_MS = 500;
const CHUNK_BYTES = 64 * 1024;

/**
 * Runs the machine until the guest powers off, the user leaves with QEMU's escape key (Ctrl-A X), or the boot is refused.
 *
 * @param timeoutMs ends the machine after this time; undefined: never
 * @returns QEMU's exit code
 * @throws SealrootError `missing-tool` naming the package; `timeout`; the refusal of a boot, after its console
 */
export async function runOnTerminal(options: VirtualMachineOptions, timeoutMs: number | undefined): Promise<number> {
  using directory = temporaryDirectory({ purpose: "vm" });
  const terminalLogPath = join(directory.path, "console");
  writeFileSync(terminalLogPath, "");
  const machine = await assembleMachine(options, directory.path, undefined);
  const tool = await startTool(
    machineProgram(machine),
    machineArguments({ ...machine, console: { terminalLogPath } }),
    {
      stdio: "inherit",
      env: { TMPDIR: directory.path },
    },
  );
  const watch = watchTerminal(tool, terminalLogPath, timeoutMs);
  const { exitCode } = await tool.exited;
  const failure = watch.stop();
  if (failure !== undefined) throw failure;
  return exitCode ?? 1;
}

/**
 * Ends the machine when its time is over or its console says that nothing will come; gently, so that QEMU resets the
 * terminal.
 */
function watchTerminal(tool: RunningTool, logPath: string, timeoutMs: number | undefined) {
  const console = new ConsoleLog();
  const search = new RefusalSearch(console);
  const log = openSync(logPath, "r");
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let failure: SealrootError | undefined;
  const end = (error: SealrootError) => {
    failure ??= error;
    tool.kill("SIGTERM");
  };
  const look = () => {
    for (let count = readSync(log, chunk); count > 0; count = readSync(log, chunk))
      console.append(chunk.subarray(0, count));
    const refusal = search.find();
    if (refusal === undefined) return;
    const data = refusal.hint === undefined ? {} : { hint: refusal.hint };
    end(new SealrootError(refusal.code, `Cannot boot the guest: ${refusal.state}`, data));
  };
  const interval = setInterval(look, LOOK_INTERVAL_MS);
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          end(new SealrootError("timeout", `Cannot go on with the guest: its ${timeoutMs / 1000} s are over`));
        }, timeoutMs);
  return {
    stop: () => {
      clearInterval(interval);
      clearTimeout(timer);
      closeSync(log);
      return failure;
    },
  };
}
