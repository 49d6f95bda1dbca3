/** A machine whose serial console is the user's terminal. */
import { startTool, temporaryDirectory } from "../platform/index.ts";
import { assembleMachine } from "./assemble.ts";
import { machineArguments } from "./machine.ts";
import type { VirtualMachineOptions } from "./options.ts";

/**
 * Runs the machine until the guest powers off or the user leaves with QEMU's escape key (Ctrl-A X).
 * @returns QEMU's exit code
 * @throws SealrootError `missing-tool` naming the package
 */
export async function runOnTerminal(options: VirtualMachineOptions): Promise<number> {
  using directory = temporaryDirectory({ purpose: "vm" });
  const machine = await assembleMachine(options, directory.path, undefined);
  const tool = await startTool("qemu-system-x86_64", machineArguments({ ...machine, console: "terminal" }), {
    stdio: "inherit",
    env: { TMPDIR: directory.path },
  });
  return (await tool.exited).exitCode ?? 1;
}
