/** Runs the system's programs and turns failures into errors a user can act on. */
import { type ChildProcess, spawn } from "node:child_process";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { hasErrno, SealrootError } from "../errors/index.ts";
import { onProcessExit } from "./exit-hooks.ts";
import { requireTool } from "./tools.ts";

export interface StartToolOptions {
  /**
   * The program sees only PATH and `env` of this process's environment: for programs whose results must not depend on
   * who runs them (mtools alone reads thirteen variables).
   */
  readonly bareEnvironment?: boolean;
  /** Added to the environment of this process; `LC_ALL=C` is set first, so that programs can read messages. */
  readonly env?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** `inherit` gives the terminal to the program. */
  readonly stdio?: "pipe" | "inherit";
}

export interface RunToolOptions {
  /** See {@link StartToolOptions}. */
  readonly bareEnvironment?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Standard input; empty when absent. */
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Exit codes that mean success; `[0]` when absent. */
  readonly successCodes?: readonly number[];
  /** Called with standard output as it arrives, instead of collecting it. */
  readonly onOutput?: (chunk: Buffer) => void;
  /** Limit for collected standard output. */
  readonly outputLimitBytes?: number;
}

export interface ToolResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  /** At most the last {@link STDERR_LIMIT_CHARACTERS} characters. */
  readonly stderr: string;
}

export interface ToolExit {
  /** Undefined when a signal ended the program. */
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/** A program that runs on its own, such as QEMU. It is killed when this process ends. */
export interface RunningTool {
  readonly pid: number;
  /** The three streams are null if the program has the terminal. */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Settles when the program has ended and its output is closed; never rejects. */
  readonly exited: Promise<ToolExit>;
  kill(signal?: NodeJS.Signals): void;
}

const STDERR_LIMIT_CHARACTERS = 64 * 1024;
const OUTPUT_LIMIT_BYTES = 256 * 1024 * 1024;
const ERROR_LINES = 3;
/** Between SIGTERM and SIGKILL after a time-out. */
const KILL_GRACE_MS = 2000;

/**
 * Starts a program and leaves it running.
 * @throws SealrootError `missing-tool`, or `failed` when the system cannot start it
 */
export async function startTool(
  name: string,
  args: readonly string[],
  options: StartToolOptions = {},
): Promise<RunningTool> {
  const path = requireTool(name);
  const interactive = options.stdio === "inherit";
  const child = spawn(path, [...args], {
    env: { ...inheritedEnvironment(options), LC_ALL: "C", ...options.env },
    stdio: interactive ? "inherit" : ["pipe", "pipe", "pipe"],
    // A process group of its own, so that ending the program also ends what it started, and no stray grandchild holds
    // our pipes open. An interactive program must stay in the terminal's foreground group.
    detached: !interactive,
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
  });
  await started(child, name);
  const kill = (signal: NodeJS.Signals) => killTool(child, signal, !interactive);
  const forget = onProcessExit(() => kill("SIGKILL"), "stop");
  const exited = new Promise<ToolExit>((resolve) => {
    child.once("close", (code, signal) => {
      forget();
      resolve({ exitCode: code ?? undefined, signal: signal ?? undefined });
    });
  });
  return {
    pid: child.pid ?? 0,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    kill: (signal = "SIGTERM") => kill(signal),
  };
}

function inheritedEnvironment({ bareEnvironment }: StartToolOptions): NodeJS.ProcessEnv {
  if (bareEnvironment !== true) return process.env;
  return process.env.PATH === undefined ? {} : { PATH: process.env.PATH };
}

function killTool(child: ChildProcess, signal: NodeJS.Signals, group: boolean): void {
  // Once the output is closed the whole group is gone and its number may belong to somebody else.
  const closed = child.exitCode !== null && (child.stdout === null || child.stdout.destroyed);
  if (child.pid === undefined || closed) return;
  try {
    process.kill(group ? -child.pid : child.pid, signal);
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
  }
}

function started(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => {
      reject(new SealrootError("failed", `Cannot start ${name}: ${error.message}`, { path: name }, error));
    });
  });
}

/**
 * Runs a program to its end and returns its output.
 *
 * @throws SealrootError `missing-tool`; `timeout`; `failed` with the exit code and the last lines of standard error
 */
export async function runTool(
  name: string,
  args: readonly string[],
  options: RunToolOptions = {},
): Promise<ToolResult> {
  const tool = await startTool(name, args, options);
  const limits = superviseTool(tool, options);
  const stdout = collectOutput(tool, options, limits.stop);
  const stderr = collectTail(tool.stderr);
  const [exit] = await Promise.all([tool.exited, feed(tool, options.input)]);
  limits.clear();
  if (limits.reason() !== undefined) throw limitError(name, limits.reason() ?? "", stderr(), options);
  const exitCode = exit.exitCode ?? -1;
  if (!(options.successCodes ?? [0]).includes(exitCode)) {
    const end = exit.signal === undefined ? `exit code ${exitCode}` : `ended by ${exit.signal}`;
    throw new SealrootError("failed", `Cannot run ${name}: ${end}${lastLines(stderr(), stdout())}`, {
      path: name,
      actual: end,
    });
  }
  return { exitCode, stdout: stdout(), stderr: stderr() };
}

interface Supervision {
  /** Ends the program, giving the reason for it. */
  stop(reason: StopReason): void;
  reason(): StopReason | undefined;
  clear(): void;
}

type StopReason = "timeout" | "aborted" | "output";

function superviseTool(tool: RunningTool, options: RunToolOptions): Supervision {
  let reason: StopReason | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (why: StopReason) => {
    if (reason !== undefined) return;
    reason = why;
    tool.kill("SIGTERM");
    killTimer = setTimeout(() => tool.kill("SIGKILL"), KILL_GRACE_MS);
  };
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => stop("timeout"), options.timeoutMs);
  const abort = () => stop("aborted");
  if (options.signal?.aborted === true) abort();
  options.signal?.addEventListener("abort", abort, { once: true });
  return {
    stop,
    reason: () => reason,
    clear: () => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      options.signal?.removeEventListener("abort", abort);
    },
  };
}

function limitError(name: string, reason: string, stderr: string, options: RunToolOptions): SealrootError {
  const lines = lastLines(stderr, Buffer.alloc(0));
  if (reason === "timeout") {
    return new SealrootError("timeout", `Cannot wait for ${name}: not done after ${options.timeoutMs} ms${lines}`, {
      path: name,
    });
  }
  const state = reason === "aborted" ? "interrupted" : "its output is larger than the limit";
  return new SealrootError("failed", `Cannot run ${name}: ${state}${lines}`, { path: name });
}

async function feed(tool: RunningTool, input: RunToolOptions["input"]): Promise<void> {
  if (tool.stdin === null) return;
  try {
    if (input === undefined) tool.stdin.end();
    else if (typeof input === "string" || input instanceof Uint8Array)
      await pipeline(Readable.from([input]), tool.stdin);
    else await pipeline(input, tool.stdin);
  } catch (error) {
    // A program may end before it has read everything; its exit code says whether that was right.
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code !== "EPIPE" && code !== "ERR_STREAM_PREMATURE_CLOSE" && code !== "ECONNRESET") throw error;
  }
}

function collectOutput(tool: RunningTool, options: RunToolOptions, stop: (reason: StopReason) => void): () => Buffer {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const limitBytes = options.outputLimitBytes ?? OUTPUT_LIMIT_BYTES;
  tool.stdout?.on("data", (chunk: Buffer) => {
    if (options.onOutput !== undefined) {
      options.onOutput(chunk);
      return;
    }
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) stop("output");
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks);
}

function collectTail(stream: Readable | null): () => string {
  let text = "";
  stream?.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(-STDERR_LIMIT_CHARACTERS);
  });
  return () => text;
}

/** The end of what the program said, on one line; some programs complain on standard output. */
function lastLines(stderr: string, stdout: Buffer): string {
  const source = stderr.trim() === "" ? stdout.subarray(-4096).toString("utf8") : stderr;
  const lines = source
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.length === 0 ? "" : `: ${lines.slice(-ERROR_LINES).join(" | ")}`;
}
