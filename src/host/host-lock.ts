/** One process at a time changes a host; those that read it do not ask. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { tryLock } from "../platform/index.ts";

/**
 * Takes the host for one process, until it is disposed of or the process ends.
 *
 * @param runDirectory `/run`
 * @throws SealrootError `conflict` when another process has it
 */
export function lockHost(runDirectory: string): Disposable {
  const directory = join(runDirectory, "sealroot");
  const path = join(directory, "host.lock");
  let fd: number;
  try {
    mkdirSync(directory, { recursive: true });
    fd = openSync(path, "a", 0o600);
  } catch (error) {
    throw asSealrootError(error, "Cannot lock this host", { path, hint: "run it as root" });
  }
  if (tryLock(fd, "exclusive")) return { [Symbol.dispose]: () => closeSync(fd) };
  closeSync(fd);
  throw new SealrootError("conflict", "Cannot change this host: another process is changing it", {
    path,
    hint: "wait until it is done",
  });
}
