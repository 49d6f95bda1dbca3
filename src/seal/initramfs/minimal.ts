/** The minimal initramfs: everything from the image and us, nothing else (spec/boot-chain.md E (c)). */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { constants, zstdCompressSync } from "node:zlib";
import { byteStringOfText } from "../../bytes/index.ts";
import { type CpioEntry, writeCpio } from "../../cpio/index.ts";
import type { NeededFile } from "../../elf/index.ts";
import type { ImageFiles } from "../../tree/index.ts";
import { collectCommonParts, type InitramfsOptions } from "./common-entries.ts";
import { programOf } from "./image-programs.ts";
import { directory, file, link, program, withDirectories } from "./layout.ts";

export interface MinimalInitramfsOptions extends InitramfsOptions {
  /** Smaller, and a little slower to boot; off if absent. */
  readonly compress?: boolean;
}

const INIT = new URL("../../../initramfs/minimal/init", import.meta.url);

/** zstd's level: 19 gains 5 % in size for ten times the time. */
const COMPRESSION_LEVEL = 12;

/** Mount points, and where the root is made. */
const EMPTY_DIRECTORIES = ["dev", "proc", "run", "sys", "sysroot"];

/** Where /bin and the like lead on a merged system; libraries and the loader are requested by these names. */
const MERGED = ["bin", "lib", "lib64", "sbin"];

/**
 * Builds the initramfs of an image. The same image and kernel give the same bytes.
 *
 * @returns a newc archive, or one zstd frame of it
 * @throws SealrootError naming the program, library or kernel feature that the image lacks, and its packages
 */
export async function buildMinimalInitramfs(files: ImageFiles, options: MinimalInitramfsOptions): Promise<Uint8Array> {
  const { entries: common, image } = await collectCommonParts(files, {
    ...options,
    programs: ["sh", "qjs", "mount", "umount", "blkid", "switch_root"],
    withDisks: true,
  });
  const entries: CpioEntry[] = [
    ...common,
    program("usr/bin/sh", programOf(image, "sh").bytes),
    program("init", await readFile(fileURLToPath(INIT))),
    ...EMPTY_DIRECTORIES.map((path) => directory(path)),
    // Without it the first program has no output (spec/boot-chain.md E).
    { kind: "character-device", path: byteStringOfText("dev/console"), mode: 0o600, major: 5, minor: 1 },
    ...MERGED.map((name) => link(name, `usr/${name}`)),
    ...libraryEntries(image.libraries),
  ];
  const archive = writeCpio(withDirectories(entries, ""));
  if (options.compress !== true) return archive;
  return zstdCompressSync(archive, { params: { [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL } });
}

/** Each library under its requested name, where the dynamic loader looks without a cache. */
function libraryEntries(libraries: readonly NeededFile[]): CpioEntry[] {
  const entries = new Map<string, CpioEntry>();
  for (const { requestedPath, bytes, role } of libraries) {
    const path = mergedPath(requestedPath);
    entries.set(path, role === "loader" ? program(path, bytes) : file(path, bytes));
  }
  return [...entries.values()];
}

/** `/lib/x` is `usr/lib/x`. */
function mergedPath(path: string): string {
  const relative = path.slice(1);
  return MERGED.includes(relative.slice(0, relative.indexOf("/"))) ? `usr/${relative}` : relative;
}
