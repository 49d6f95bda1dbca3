/** Where things are in our initramfs, and the entries to put them there. */
import { byteStringOfText } from "../../bytes/index.ts";
import type { CpioDirectory, CpioEntry, CpioFile, CpioSymlink } from "../../cpio/index.ts";

/** The directory with all our files; `initramfs/tools.ts` and `minimal/init` know it too. */
export const BASE = "usr/lib/sealroot";

export function directory(path: string, mode = 0o755): CpioDirectory {
  return { kind: "directory", path: byteStringOfText(path), mode };
}

export function file(path: string, bytes: Uint8Array, mode = 0o644): CpioFile {
  return { kind: "file", path: byteStringOfText(path), mode, bytes };
}

export function program(path: string, bytes: Uint8Array): CpioFile {
  return file(path, bytes, 0o755);
}

export function link(path: string, target: string): CpioSymlink {
  return { kind: "symlink", path: byteStringOfText(path), mode: 0o777, target: byteStringOfText(target) };
}

/**
 * The entries with every directory above them that is below `top` (or `top` itself), each once.
 *
 * @param top a directory without trailing slash; empty for all directories
 */
export function withDirectories(entries: readonly CpioEntry[], top: string): CpioEntry[] {
  const named = new Set<string>(entries.map(({ path }) => path));
  const directories: CpioEntry[] = [];
  for (const { path } of entries) {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const parent = path.slice(0, slash);
      const isOurs = top === "" || parent === top || parent.startsWith(`${top}/`);
      if (!isOurs || named.has(parent)) continue;
      named.add(parent);
      directories.push({ ...directory(""), path: path.slice(0, slash) as CpioEntry["path"] });
    }
  }
  return [...directories, ...entries];
}
