/** Starts virtual machines and talks to them. */
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { temporaryDirectory } from "../platform/index.ts";
import type { CommandResult } from "./agent-channel.ts";
import { assembleMachine } from "./assemble.ts";
import { ConsoleSearch } from "./console-search.ts";
import { machineArguments, machineProgram } from "./machine.ts";
import { COMMAND_TIMEOUT_MS, CONSOLE_TIMEOUT_MS, READY_TIMEOUT_MS, type VirtualMachineOptions } from "./options.ts";
import { RefusalSearch } from "./refusal.ts";
import { Session, secondsOf } from "./session.ts";

/**
 * A crash of the guest kernel. About one boot in 34 under multi-threaded emulation died like this while the kernel
 * patched its own code, and the same command then succeeded (spec/boot-chain.md H, "Robustness").
 */
const KERNEL_OOPS =
  /\b(?:Oops|int3|general protection fault[^:]*|invalid opcode): \d+|BUG: unable to handle|kernel BUG at/;

/** A machine that was started. Every method may be called until {@link stop}. */
export interface VirtualMachine {
  /** What the guest printed so far (the last 1 MiB), without control sequences. */
  readonly consoleText: string;
  /**
   * Waits for the agent in the guest; after a reboot of the guest, for its next report.
   *
   * @param options.endsWhenRefused true: a line on the console that says that nothing more will come (the firmware refused
   *   a signature, the boot program the root) ends the wait; such lines of earlier boots count too
   * @throws SealrootError `timeout` or `failed`, with the last console lines; `untrusted` for a refused boot
   */
  waitForReady(timeoutMs?: number, options?: { readonly endsWhenRefused?: boolean }): Promise<void>;
  /** Waits for a line on the console; what was printed before the call counts. Resolves with the match. */
  waitForConsole(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Types on the guest's console: `\r` is the key Return. */
  type(text: string): void;
  /** Waits until the guest has powered itself off. */
  waitForExit(timeoutMs?: number): Promise<void>;
  /**
   * Runs shell text in the guest, without input, and returns its result; any exit code is a result.
   * @throws SealrootError `timeout` (the machine is then stopped) or `failed` when the machine ends
   */
  run(script: string, timeoutMs?: number): Promise<CommandResult>;
  /** Ends the machine at once and removes its temporary files. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts a virtual machine and returns while it boots.
 *
 * A machine whose kernel crashes before the first report of readiness (or the first awaited line) is started once more:
 * see {@link KERNEL_OOPS}. Later crashes are never hidden.
 * @throws SealrootError `missing-tool` naming the package, `usage` for a socket path or credentials too long
 */
export async function startVirtualMachine(options: VirtualMachineOptions): Promise<VirtualMachine> {
  const directory = temporaryDirectory({ purpose: "vm" });
  try {
    const launch = () => launchSession(options, directory.path);
    return new RunningMachine(await launch(), launch, directory.remove);
  } catch (error) {
    directory.remove();
    throw error;
  }
}

class RunningMachine implements VirtualMachine {
  readonly #launch: () => Promise<Session>;
  readonly #remove: () => void;
  #session: Session;
  #readySeen = 0;
  #mayRestart = true;

  constructor(session: Session, launch: () => Promise<Session>, remove: () => void) {
    this.#session = session;
    this.#launch = launch;
    this.#remove = remove;
  }

  get consoleText(): string {
    return this.#session.console.text;
  }

  async waitForReady(timeoutMs = READY_TIMEOUT_MS, { endsWhenRefused = false } = {}): Promise<void> {
    const wanted = this.#readySeen + 1;
    const goal = "boot the guest";
    const refusal = await this.#waitForBoot(goal, timeoutMs, ({ agent, console }) => {
      const search = endsWhenRefused ? new RefusalSearch(console) : undefined;
      return () => ((agent?.readyCount ?? 0) >= wanted ? ("ready" as const) : search?.find());
    });
    if (refusal !== "ready") throw this.#session.error(refusal.code, goal, refusal.state, refusal.hint);
    this.#readySeen = wanted;
    this.#mayRestart = false;
  }

  async waitForConsole(pattern: RegExp, timeoutMs = CONSOLE_TIMEOUT_MS): Promise<string> {
    const match = await this.#waitForBoot(`find ${pattern} on the guest's console`, timeoutMs, (session) => {
      const search = new ConsoleSearch(session.console, pattern);
      return () => search.find();
    });
    this.#mayRestart = false;
    return match;
  }

  type(text: string): void {
    this.#session.type(text);
  }

  async waitForExit(timeoutMs = COMMAND_TIMEOUT_MS): Promise<void> {
    const session = this.#session;
    await session.waitUntil("see the guest power off", timeoutMs, () => session.exit);
  }

  async run(script: string, timeoutMs = COMMAND_TIMEOUT_MS): Promise<CommandResult> {
    const session = this.#session;
    const agent = session.agent;
    if (agent === undefined) {
      throw new SealrootError("usage", "Cannot run a command in the guest: the machine was started without an agent");
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          session.error("timeout", "finish the command in the guest", `it still runs after ${secondsOf(timeoutMs)} s`),
        );
      }, timeoutMs);
    });
    try {
      return await Promise.race([agent.run(script), late]);
    } catch (error) {
      // A command that is still running would get the next one's input: the connection is no longer usable.
      if (error instanceof SealrootError && error.code === "timeout") await this.stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    await this.#session.stop();
    this.#remove();
  }

  /** Waits for what `lookIn` finds in a session, starting the machine once more if its kernel crashes first. */
  async #waitForBoot<T>(
    goal: string,
    timeoutMs: number,
    lookIn: (session: Session) => () => T | undefined,
  ): Promise<T> {
    const session = this.#session;
    const look = lookIn(session);
    const crash = new ConsoleSearch(session.console, KERNEL_OOPS);
    const seen = await session.waitUntil(goal, timeoutMs, () => {
      // A panic follows some crashes: the crash is checked first.
      if (this.#mayRestart && crash.find() !== undefined) return "crash";
      const value = look();
      return value === undefined ? undefined : { value };
    });
    if (seen !== "crash") return seen.value;
    this.#mayRestart = false;
    await session.stop();
    this.#session = await this.#launch();
    return this.#waitForBoot(goal, timeoutMs, lookIn);
  }
}

async function launchSession(options: VirtualMachineOptions, directory: string): Promise<Session> {
  const agentSocketPath = options.agent === false ? undefined : join(directory, "agent");
  const machine = await assembleMachine(options, directory, agentSocketPath);
  return Session.start({
    program: machineProgram(machine),
    arguments: machineArguments(machine),
    directory,
    agentSocketPath,
    onConsole: options.onConsole,
  });
}
