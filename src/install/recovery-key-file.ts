/** The file that keeps the recovery key of an encrypted disk: there before the disk is, for nobody but its owner. */
import { closeSync, fchmodSync, fsyncSync, lstatSync, openSync, unlinkSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { syncDirectory } from "../platform/index.ts";

const ACTION = "Cannot write the recovery key";

/** @throws SealrootError `exists`: another disk's key may be in it */
export function checkRecoveryKeyFile(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  throw new SealrootError("exists", `${ACTION}: ${path} exists`, {
    path,
    hint: "name another file, or move this one away: it may be the key of another disk",
  });
}

/** A key that was written down. Disposing of it takes it back, unless it is kept. */
export class RecoveryKeyFile implements Disposable {
  readonly #path: string;
  #isKept = false;

  /**
   * Writes the key, without a line end, so that the file is a key file for cryptsetup(8) as well. It is durable on return.
   * @throws SealrootError `exists`, `no-access`, `no-space`
   */
  constructor(path: string, recoveryKey: string) {
    this.#path = resolve(path);
    checkRecoveryKeyFile(this.#path);
    try {
      const file = openSync(this.#path, "wx", 0o600);
      try {
        // Whatever the umask takes away.
        fchmodSync(file, 0o600);
        writeSync(file, recoveryKey);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      syncDirectory(dirname(this.#path));
    } catch (error) {
      throw asSealrootError(error, ACTION, { path });
    }
  }

  keep(): void {
    this.#isKept = true;
  }

  [Symbol.dispose](): void {
    if (!this.#isKept) unlinkSync(this.#path);
  }
}
