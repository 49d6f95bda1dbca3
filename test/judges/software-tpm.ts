/** A software TPM that is switched on and off without a machine around it; what is measured, the test says. */
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { PCR_BANKS, type PcrBank } from "../../src/tpm/index.ts";
import { startSwtpm, stopSwtpm } from "../tpm/swtpm.ts";

/** TPM 2.0 Library, part 2: TPM_ST_SESSIONS, TPM_CC_PCR_Extend, TPM_RS_PW, and TPM_ALG_ID of the banks. */
const SESSIONS = 0x8002;
const PCR_EXTEND = 0x182;
const PASSWORD = 0x40000009;
const ALGORITHM: Readonly<Record<PcrBank, number>> = { sha1: 0x04, sha256: 0x0b, sha384: 0x0c, sha512: 0x0d };

export class SoftwareTpm implements AsyncDisposable {
  readonly #directory: string;
  #process: ChildProcess | undefined;

  /** @param directory gets the state, and the socket {@link name} */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(join(directory, "state"));
  }

  /** Its socket in the directory. */
  readonly name = "tpm.sock";

  /** Switches it off and on again: the registers are as after a reset, what is stored stays. */
  async restart(): Promise<void> {
    await this.#stop();
    const socket = join(this.#directory, this.name);
    for (const path of [socket, `${socket}.ctrl`]) rmSync(path, { force: true });
    const started = await startSwtpm(join(this.#directory, "state"), socket, `${socket}.ctrl`);
    started.socket.destroy();
    this.#process = started.process;
  }

  /** Extends a register by the digests of each of these, in every bank. */
  async measure(pcr: number, contents: readonly Uint8Array[]): Promise<void> {
    const socket = connect(join(this.#directory, this.name));
    try {
      await once(socket, "connect");
      for (const content of contents) {
        const answer = once(socket, "data");
        socket.write(extendCommand(pcr, content));
        const [response] = (await answer) as [Buffer];
        if (response.readUInt32BE(6) !== 0) throw new Error(`the TPM answered ${response.toString("hex")}`);
      }
    } finally {
      socket.destroy();
    }
  }

  async #stop(): Promise<void> {
    if (this.#process !== undefined) await stopSwtpm(this.#process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}

/** TPM2_PCR_Extend (part 3, 22.2) by the empty password. */
function extendCommand(pcr: number, content: Uint8Array): Buffer {
  const digests = PCR_BANKS.map((bank) => {
    const algorithm = Buffer.alloc(2);
    algorithm.writeUInt16BE(ALGORITHM[bank]);
    return Buffer.concat([algorithm, createHash(bank).update(content).digest()]);
  });
  const head = Buffer.alloc(10 + 4 + 4 + 9 + 4);
  head.writeUInt16BE(SESSIONS, 0);
  head.writeUInt32BE(PCR_EXTEND, 6);
  head.writeUInt32BE(pcr, 10);
  head.writeUInt32BE(9, 14);
  head.writeUInt32BE(PASSWORD, 18);
  head.writeUInt32BE(digests.length, 27);
  const command = Buffer.concat([head, ...digests]);
  command.writeUInt32BE(command.length, 2);
  return command;
}
