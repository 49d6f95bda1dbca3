/** A software TPM of its own (swtpm) behind a socket, as freshly started. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sendCommand, type TpmChannel } from "../../src/tpm/index.ts";

const START_MS = 20_000;

export class SoftwareTpm implements TpmChannel, AsyncDisposable {
  readonly #directory: string;
  readonly #process: ChildProcess;
  readonly #socket: Socket;
  /** Called before each command; tests change registers there. */
  beforeCommand: (command: Uint8Array) => Promise<void> = async () => {};

  private constructor(directory: string, process: ChildProcess, socket: Socket) {
    this.#directory = directory;
    this.#process = process;
    this.#socket = socket;
  }

  static async start(): Promise<SoftwareTpm> {
    const directory = mkdtempSync(join(tmpdir(), "sealroot-swtpm-"));
    const path = join(directory, "tpm");
    const words = ["socket", "--tpm2", "--tpmstate", `dir=${directory}`, "--flags", "not-need-init,startup-clear"];
    const process = spawn("swtpm", [...words, "--server", `type=unixio,path=${path}`], { stdio: "ignore" });
    for (const end = Date.now() + START_MS; ; await sleep(20)) {
      const socket = await connected(path);
      if (socket !== undefined) return new SoftwareTpm(directory, process, socket);
      if (Date.now() > end || process.exitCode !== null) {
        process.kill();
        throw new Error("swtpm does not start");
      }
    }
  }

  async transmit(command: Uint8Array): Promise<Uint8Array> {
    await this.beforeCommand(command);
    return await new Promise((resolve, reject) => {
      let answer = Buffer.alloc(0);
      const onData = (chunk: Buffer) => {
        answer = Buffer.concat([answer, chunk]);
        if (answer.length < 6 || answer.length < answer.readUInt32BE(2)) return;
        this.#socket.off("data", onData).off("error", reject);
        resolve(answer);
      };
      this.#socket.on("data", onData).once("error", reject);
      this.#socket.write(command);
    });
  }

  /** TPM2_PCR_Extend (TCG TPM 2.0 Library, part 3, 22.2) of the SHA-256 bank. */
  async extend(register: number, digest: Uint8Array): Promise<void> {
    const parameters = Buffer.concat([Buffer.of(0, 0, 0, 1, 0x00, 0x0b), digest]);
    const command = { code: 0x182, purpose: "extend a register", handles: [register], isAuthorized: true, parameters };
    await sendCommand(this, command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    const exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill();
    await exited;
    rmSync(this.#directory, { recursive: true, force: true });
  }
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
