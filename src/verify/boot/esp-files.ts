/** The files of an EFI system partition, wherever it is. */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { BootFiles } from "../../bootloader/index.ts";
import type { FatReader } from "../../disk/index.ts";
import { corrupt, hasErrno, SealrootError } from "../../errors/index.ts";

export interface EspFileFacts {
  /** From the root of the ESP, without leading slash, as it is spelled there. */
  readonly path: string;
  readonly sizeBytes: number;
}

export interface EspFiles {
  /** All files, in an order of its own. */
  readonly files: readonly EspFileFacts[];
  /**
   * The content of a file, found without regard to case.
   * @returns undefined when nothing has that name
   * @throws SealrootError `corrupt` for one that the file system does not hold whole; `unsupported` above 1 GiB
   */
  read(path: string): Uint8Array | undefined;
}

/** More than any UKI. */
const FILE_MAX_BYTES = 2 ** 30;
/** No deeper than any path that firmware uses; loops of a broken file system end here. */
const DEPTH_MAX = 16;
/** An ESP has dozens of files. */
const FILES_MAX = 10_000;

/** @throws SealrootError `corrupt` for directories that do not end */
export function fatEspFiles(esp: FatReader): EspFiles {
  const files: EspFileFacts[] = [];
  const visit = (path: readonly string[]): void => {
    for (const { name, isDirectory, sizeBytes } of esp.list(path) ?? []) {
      const below = [...path, name];
      if (isDirectory && below.length < DEPTH_MAX) visit(below);
      else if (!isDirectory) files.push({ path: below.join("/"), sizeBytes });
      if (files.length > FILES_MAX) throw corrupt("Cannot read the ESP: its directories do not end");
    }
  };
  visit([]);
  return { files: sorted(files), read: (path) => esp.read(path.split("/"), FILE_MAX_BYTES) };
}

/** An ESP that is mounted. */
export function mountedEspFiles(directory: string): EspFiles {
  const files: EspFileFacts[] = [];
  const visit = (path: string, depth: number): void => {
    for (const entry of readdirSync(join(directory, path), { withFileTypes: true })) {
      const below = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory() && depth < DEPTH_MAX) visit(below, depth + 1);
      else if (entry.isFile()) files.push({ path: below, sizeBytes: statSync(join(directory, below)).size });
    }
  };
  visit("", 1);
  const spelled = new Map(files.map(({ path }) => [path.toLowerCase(), path]));
  return {
    files: sorted(files),
    read: (path) => {
      const found = spelled.get(path.toLowerCase());
      return found === undefined ? undefined : readBounded(join(directory, found));
    },
  };
}

function readBounded(path: string): Uint8Array | undefined {
  let fd: number | undefined;
  try {
    const { size } = statSync(path);
    if (size > FILE_MAX_BYTES)
      throw new SealrootError("unsupported", `Cannot read ${path}: it has ${size} bytes`, { path });
    fd = openSync(path, "r");
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readSync(fd, bytes, 0, size, 0));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function sorted(files: EspFileFacts[]): EspFileFacts[] {
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** As the rooms that know boot entries want it. */
export function bootFilesOf(esp: EspFiles): BootFiles {
  return {
    list(path) {
      const prefix = `${path.toLowerCase()}/`;
      return esp.files
        .filter((file) => file.path.toLowerCase().startsWith(prefix) && !file.path.slice(prefix.length).includes("/"))
        .map((file) => file.path.slice(prefix.length));
    },
    read(path, limitBytes) {
      const bytes = esp.read(path);
      if (bytes === undefined || bytes.length <= limitBytes) return bytes;
      throw new SealrootError("unsupported", `Cannot read ${path} in the ESP: it has ${bytes.length} bytes`, { path });
    },
  };
}
