/** The program swtpm(8): a software TPM behind a socket. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const START_TIMEOUT_MS = 60_000;

export interface Swtpm {
  readonly process: ChildProcess;
  /** The first connection. */
  readonly socket: Socket;
}

/**
 * Starts one, as a machine is that was switched on.
 *
 * @param state the directory that it keeps its state in
 * @param path of the socket for commands
 * @param control path of a socket that the program is told to reset and to end by; none if absent
 */
export async function startSwtpm(state: string, path: string, control?: string): Promise<Swtpm> {
  const words = ["socket", "--tpm2", "--tpmstate", `dir=${state}`, "--flags", "not-need-init,startup-clear"];
  const channels = ["--server", `type=unixio,path=${path}`];
  if (control !== undefined) channels.push("--ctrl", `type=unixio,path=${control}`);
  const process = spawn("swtpm", [...words, ...channels], { stdio: "ignore" });
  for (const deadlineMs = performance.now() + START_TIMEOUT_MS; ; await delay(20)) {
    const socket = control === undefined || existsSync(control) ? await connected(path) : undefined;
    if (socket !== undefined) return { process, socket };
    if (process.exitCode !== null || performance.now() > deadlineMs) {
      process.kill();
      throw new Error("swtpm does not listen");
    }
  }
}

/** Ends it, and waits until it has ended. */
export async function stopSwtpm(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const ended = once(process, "exit");
  process.kill();
  await ended;
}

/** @returns undefined while nobody listens: the socket is there a moment before */
async function connected(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch {
    socket.destroy();
    return undefined;
  }
}
