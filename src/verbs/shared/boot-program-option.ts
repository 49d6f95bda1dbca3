/** `--boot-program FILE`: the interpreter that runs the boot program, for an image without QuickJS. */
import { readFile } from "node:fs/promises";
import { asSealrootError } from "../../errors/index.ts";
import type { GivenProgram } from "../../seal/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

export const BOOT_PROGRAM_OPTION = {
  flags: "--boot-program <FILE>",
  summary: "a QuickJS (qjs), static or for the image's libraries, to use at boot instead of the image's",
} as const satisfies OptionSpecification;

/** @throws SealrootError naming a file that cannot be read */
export async function givenInterpreter(
  invocation: Invocation<readonly [typeof BOOT_PROGRAM_OPTION]>,
): Promise<GivenProgram | undefined> {
  const path = invocation.option("boot-program");
  if (path === undefined) return undefined;
  const bytes = await readFile(path).catch((error: unknown) => {
    throw asSealrootError(error, "Cannot read the QuickJS given with --boot-program", { path });
  });
  return { path, bytes };
}
