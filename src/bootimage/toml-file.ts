/** The TOML files that say how an image is booted and installed. */
import { parse, TomlError } from "smol-toml";
import { SealrootError } from "../errors/index.ts";

/**
 * The table of a TOML file.
 *
 * @param path names the file in errors
 * @throws SealrootError `corrupt` with the first line of what is wrong, and where
 */
export function parseTomlFile(path: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason] = error.message.split("\n");
    throw new SealrootError("corrupt", `Cannot parse ${path}: ${reason}`, { path, line: error.line }, error);
  }
}
