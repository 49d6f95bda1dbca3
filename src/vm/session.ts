/** One QEMU process with its console and agent, from start to end, and waiting for its events. */
import { type ErrorCode, SealrootError } from "../errors/index.ts";
import { type RunningTool, startTool, type ToolExit } from "../platform/index.ts";
import { AgentChannel } from "./agent-channel.ts";
import { ConsoleLog } from "./console.ts";

const MESSAGE_LINES = 3;
const DATA_LINES = 20;

/** Tenths are enough for the rest of a longer time. */
export function secondsOf(durationMs: number): number {
  return Math.round(durationMs / 100) / 10;
}

/** Where a session finds what it needs. */
export interface SessionOptions {
  /** QEMU, and its arguments. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** For QEMU's throw-away overlays, which are unlinked as soon as they are made. */
  readonly directory: string;
  readonly agentSocketPath: string | undefined;
  readonly onConsole: ((bytes: Uint8Array) => void) | undefined;
}

/** A running machine. Its events (output, the agent's reports, the end) wake waiters. */
export class Session {
  readonly console = new ConsoleLog();
  readonly agent: AgentChannel | undefined;
  readonly #machine: RunningTool;
  readonly #watchers = new Set<() => void>();
  #exit: ToolExit | undefined;

  private constructor(machine: RunningTool, agent: AgentChannel | undefined, onConsole: SessionOptions["onConsole"]) {
    this.#machine = machine;
    this.agent = agent;
    const receive = (bytes: Uint8Array) => {
      this.console.append(bytes);
      onConsole?.(bytes);
      this.#wake();
    };
    machine.stdout?.on("data", receive);
    machine.stderr?.on("data", receive);
    agent?.onReady(() => this.#wake());
    void machine.exited.then((exit) => {
      this.#exit = exit;
      agent?.fail(this.#ended("finish the command"));
      this.#wake();
    });
  }

  /** @throws SealrootError `missing-tool` when QEMU is not installed */
  static async start(options: SessionOptions): Promise<Session> {
    const agent =
      options.agentSocketPath === undefined ? undefined : await AgentChannel.listen(options.agentSocketPath);
    try {
      const machine = await startTool(options.program, options.arguments, {
        env: { TMPDIR: options.directory },
      });
      return new Session(machine, agent, options.onConsole);
    } catch (error) {
      agent?.close();
      throw error;
    }
  }

  /** How the machine ended, or undefined while it runs. */
  get exit(): ToolExit | undefined {
    return this.#exit;
  }

  /**
   * Resolves with the first defined value of `look`, which is called now and after every event.
   *
   * @param goal continues "Cannot …" in errors, such as `boot the guest`
   * @throws SealrootError `timeout`, or `failed` when the machine ends first; both carry the last console lines
   */
  waitUntil<T>(goal: string, timeoutMs: number, look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (): boolean => {
        const value = look();
        if (value !== undefined) resolve(value);
        else if (this.#exit !== undefined) reject(this.#ended(goal));
        else return false;
        return true;
      };
      if (settle()) return;
      const watcher = () => {
        if (!settle()) return;
        this.#watchers.delete(watcher);
        clearTimeout(timer);
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(watcher);
        reject(this.error("timeout", goal, `nothing happened in ${secondsOf(timeoutMs)} s`));
      }, timeoutMs);
      this.#watchers.add(watcher);
    });
  }

  /** An error about this machine, with the end of its console. */
  error(code: ErrorCode, goal: string, state: string, hint?: string): SealrootError {
    const lines = this.console.lastLines(DATA_LINES);
    const end =
      lines.length === 0 ? "its console is empty" : `its console ends: ${lines.slice(-MESSAGE_LINES).join(" | ")}`;
    return new SealrootError(code, `Cannot ${goal}: ${state}; ${end}`, {
      output: lines,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** Gives text to the machine's serial console. */
  type(text: string): void {
    this.#machine.stdin?.write(text);
  }

  /** Ends the machine at once, like pulling its plug. */
  async stop(): Promise<void> {
    this.#machine.kill("SIGKILL");
    await this.#machine.exited;
    this.agent?.close();
  }

  #ended(goal: string): SealrootError {
    const exit = this.#exit;
    const how = exit?.signal ?? `exit code ${exit?.exitCode ?? -1}`;
    return this.error("failed", goal, `the machine has ended (${how})`);
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
