/** Programs of the image and of the administrator that an update calls before and after. */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { namesInDirectory, runTool } from "../../platform/index.ts";

export type HookMoment = "before" | "after";

/** The administrator's come second: a file of his takes the place of the image's of the same name. */
export const HOOK_FOLDERS: readonly string[] = ["/usr/lib/sealroot/update-hooks", "/etc/sealroot/update-hooks"];

/** A hook that hangs must not keep a host from ever updating. */
const TIMEOUT_MS = 30 * 60_000;

/**
 * The hooks of a moment, in the order of their names, whichever folder they are in. A link to /dev/null leaves the
 * image's one out, as everywhere in systemd.
 *
 * @throws SealrootError `no-access` for a file that is not a program
 */
export function hooksFor(moment: HookMoment, folders: readonly string[] = HOOK_FOLDERS): string[] {
  const byName = new Map<string, string>();
  for (const folder of folders) {
    const directory = join(folder, `${moment}.d`);
    for (const name of namesInDirectory(directory, "Cannot read the update hooks"))
      byName.set(name, join(directory, name));
  }
  const paths = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  return paths.filter(isProgram);
}

function isProgram(path: string): boolean {
  try {
    if (realpathSync(path) === "/dev/null") return false;
    if (statSync(path).isDirectory()) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    throw asSealrootError(error, `Cannot run the update hook ${path}`, { path, hint: "chmod +x, or remove it" });
  }
}

/**
 * Runs them one after the other.
 * @param environment added to that of the caller
 * @throws SealrootError `failed` for the first that does not exit with 0; those after it are not run
 */
export async function runHooks(
  moment: HookMoment,
  environment: Readonly<Record<string, string>>,
  folders: readonly string[] = HOOK_FOLDERS,
): Promise<void> {
  for (const path of hooksFor(moment, folders)) {
    try {
      await runTool(path, [], { env: environment, timeoutMs: TIMEOUT_MS });
    } catch (error) {
      const { message, data } = asSealrootError(error, "failed");
      throw new SealrootError("failed", `Cannot go on: the update hook ${path} says no: ${message}`, data, error);
    }
  }
}
