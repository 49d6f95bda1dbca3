/** What is put on a disk: files of this machine. */
import { lstatSync, readdirSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type ByteString, byteStringOfText, displayText } from "../../bytes/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";

/** A file, link or directory of this machine. */
export type HostFile =
  | { readonly kind: "file"; readonly path: string; readonly isExecutable: boolean }
  | { readonly kind: "symlink"; readonly target: ByteString }
  | { readonly kind: "directory"; entries(): { readonly name: ByteString; readonly file: HostFile }[] };

/**
 * @param given as the user wrote it; a link itself is followed, links inside of a directory are not
 * @throws SealrootError `not-found`, `no-access`; `unsupported` for devices, pipes and sockets, and for names that are not
 *   UTF-8
 */
export function hostFile(given: string): { readonly name: ByteString; readonly file: HostFile } {
  try {
    const path = realpathSync(given);
    return { name: byteStringOfText(basename(resolve(given))), file: fileAt(path, lstatSync(path)) };
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw asSealrootError(error, `Cannot read ${given}`, { path: given });
    throw new SealrootError("not-found", `Cannot read ${given}: there is no such file`, { path: given });
  }
}

function fileAt(path: string, state: Stats): HostFile {
  if (state.isFile()) return { kind: "file", path, isExecutable: (state.mode & 0o100) !== 0 };
  if (state.isSymbolicLink()) {
    return { kind: "symlink", target: readlinkSync(path, "latin1" as "utf8") as ByteString };
  }
  if (state.isDirectory()) return { kind: "directory", entries: () => entriesOf(path) };
  throw new SealrootError("unsupported", `Cannot put ${path} on the disk: it is not a file, link or directory`, {
    path,
  });
}

function entriesOf(directory: string): { readonly name: ByteString; readonly file: HostFile }[] {
  const names = readdirSync(directory, { encoding: "latin1" }) as ByteString[];
  return names.sort().map((name) => {
    const text = displayText(name);
    const path = join(directory, text);
    if (byteStringOfText(text) !== name) {
      throw new SealrootError("unsupported", `Cannot put ${path} on the disk: its name is not UTF-8`, { path });
    }
    return { name, file: fileAt(path, lstatSync(path)) };
  });
}
