/** One limit for all that sealing an image takes of it into memory. */
import { SealrootError } from "../errors/index.ts";

/**
 * What is read of an image and what that unpacks to, in all: kernel, initramfs, boot programs, modules. Each kind has a
 * limit of its own besides.
 */
export const UNPACKED_MAX_BYTES = 1024 * 1024 * 1024;

/** Every read or unpacking of a part of an image draws its bytes from here; nothing is given back. */
export class UnpackBudget {
  #leftBytes = UNPACKED_MAX_BYTES;

  /** How much may still be taken. */
  get leftBytes(): number {
    return this.#leftBytes;
  }

  /**
   * @param what a file, a module: for the error
   * @throws SealrootError `unsupported` when it is more than is left
   */
  take(what: string, sizeBytes: number): void {
    if (sizeBytes > this.#leftBytes) throw this.exceededBy(what);
    this.#leftBytes -= sizeBytes;
  }

  /** The error for what was found to be more than is left. */
  exceededBy(what: string): SealrootError {
    const problem = `${what} and what was unpacked before have more than ${UNPACKED_MAX_BYTES} bytes`;
    return new SealrootError("unsupported", `Cannot seal the image: ${problem}`, {
      expected: `at most ${UNPACKED_MAX_BYTES} bytes in all`,
    });
  }
}
