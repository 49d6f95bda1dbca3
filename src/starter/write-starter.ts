/** Writes a new project. */
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { writeFileAtomically } from "../platform/index.ts";
import { type StarterBase, starterFiles } from "./files.ts";

/** The checkout, or the folder of the packaged program, which has the templates in the same places. */
const PLACE = fileURLToPath(new URL("../../", import.meta.url));
/** Where the image will be published. */
const IMAGE_MARK = "@IMAGE@";

export interface StarterOptions {
  readonly base: StarterBase;
  /** A repository of a registry, without tag: what is installed updates itself from there. */
  readonly image: string;
}

/**
 * Writes the files of a project. One that is there already with this content stays, so that it can be run again.
 *
 * @returns their paths in the project
 * @throws SealrootError `exists` naming a file that is there with other content: then nothing is written
 */
export function writeStarter(directory: string, { base, image }: StarterOptions): readonly string[] {
  const action = `Cannot make a project in ${directory}`;
  const files = starterFiles(base).map(({ path, template, mode }) => ({
    path,
    target: join(directory, path),
    text: readFileSync(join(PLACE, template), "utf8").replaceAll(IMAGE_MARK, image),
    mode,
  }));
  const present = new Set(files.filter(({ target, text }) => isThere(target, text, action)).map(({ path }) => path));
  try {
    for (const { path, target, text, mode } of files) {
      if (present.has(path)) continue;
      mkdirSync(dirname(target), { recursive: true });
      writeFileAtomically(target, text, { mode, replace: false });
    }
  } catch (error) {
    throw asSealrootError(error, action, { path: directory });
  }
  return files.map(({ path }) => path);
}

/** @throws SealrootError `exists` when something else is there */
function isThere(target: string, text: string, action: string): boolean {
  try {
    if (readFileSync(target, "utf8") === text) return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw asSealrootError(error, action, { path: target });
  }
  throw new SealrootError("exists", `${action}: ${target} is there with other content`, {
    path: target,
    hint: "name another directory, or move that file away",
  });
}
