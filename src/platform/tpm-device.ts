/** The TPM of this machine: one command written, its answer read (tpm(4); Linux drivers/char/tpm/tpm-dev-common.c). */
import { readFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";

/** The kernel's resource manager, which swaps what other programs have loaded. */
export const TPM_DEVICE = "/dev/tpmrm0";
/** The kernel's TPM_BUFSIZE. */
const ANSWER_MAX_BYTES = 4096;

/** Where the kernel shows what firmware and boot programs have measured (Linux, drivers/char/tpm/eventlog/common.c). */
const MEASUREMENTS = "/sys/kernel/security/tpm0/binary_bios_measurements";

/** @returns undefined where the kernel does not show it, or not to this user */
export function readMeasurementLog(path = MEASUREMENTS): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES", "EPERM")) return undefined;
    throw asSealrootError(error, "Cannot read the log of measurements", { path });
  }
}

export class TpmDevice implements AsyncDisposable {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @throws SealrootError `unsupported` without a TPM 2.0, `no-access` without the right to use it */
  static async open(path = TPM_DEVICE): Promise<TpmDevice> {
    try {
      return new TpmDevice(await open(path, "r+"));
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENXIO")) {
        throw new SealrootError("unsupported", "Cannot ask the TPM: this machine has none of version 2.0", {
          path,
          hint: "switch it on in the firmware's settings; a virtual machine needs one of swtpm",
        });
      }
      throw asSealrootError(error, "Cannot ask the TPM", { path });
    }
  }

  /** @returns the answer, whatever it says */
  async transmit(command: Uint8Array): Promise<Uint8Array> {
    try {
      await this.#file.write(command, 0, command.length, null);
      const answer = Buffer.alloc(ANSWER_MAX_BYTES);
      const { bytesRead } = await this.#file.read(answer, 0, answer.length, null);
      return answer.subarray(0, bytesRead);
    } catch (error) {
      throw asSealrootError(error, "Cannot ask the TPM");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
