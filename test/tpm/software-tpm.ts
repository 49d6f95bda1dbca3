/** A software TPM of its own (swtpm) behind a socket, as freshly started. */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sendCommand, type TpmChannel } from "../../src/tpm/index.ts";
import { startSwtpm, stopSwtpm } from "./swtpm.ts";

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
    const { process, socket } = await startSwtpm(directory, join(directory, "tpm"));
    return new SoftwareTpm(directory, process, socket);
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
    await stopSwtpm(this.#process);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
