/** The files that signers gave back: named, or all in a directory. */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import type { ReturnedFile } from "../../seal/index.ts";

/**
 * @param paths of files and directories. In a directory, unsigned programs and what `--to-sign` wrote beside them are passed over
 * @throws SealrootError of the file system; `not-found` for a directory without anything signed; as formOf
 */
export async function readReturned(paths: readonly string[]): Promise<ReturnedFile[]> {
  const { formOf, isMaterial, isPolicyList, isProgram } = await import("../../seal/index.ts");
  const { isSigned } = await import("../../keys/index.ts");
  const files: ReturnedFile[] = [];
  for (const path of paths) {
    const names = await namesIn(path);
    if (names === undefined) {
      files.push({ path, bytes: await read(path) });
      continue;
    }
    const within = await Promise.all(
      names
        .filter((name) => !isMaterial(basename(name)))
        .map(async (name) => ({ path: join(path, name), bytes: await read(join(path, name)) })),
    );
    const signed = within.filter(({ bytes }) => !isProgram(bytes) || isSigned(bytes));
    if (signed.length === 0) {
      throw new SealrootError("not-found", `Cannot attach a signature: nothing in ${path} is signed`, { path });
    }
    files.push(...signed);
  }
  for (const file of files) if (!isPolicyList(file.bytes)) formOf(file);
  return files;
}

/** Undefined for a file. */
async function namesIn(path: string): Promise<string[] | undefined> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (hasErrno(error, "ENOTDIR")) return undefined;
    throw asSealrootError(error, "Cannot read what was signed", { path });
  }
}

async function read(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw asSealrootError(error, "Cannot read what was signed", { path });
  });
}
