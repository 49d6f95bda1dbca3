/** The programs of the image that the initramfs runs, with all they need. */
import { collectLibraries, type NeededFile } from "../../elf/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { ImageFiles } from "../../tree/index.ts";

interface ImageProgram {
  readonly paths: readonly string[];
  /** The packages that have it, for the error when it is missing. */
  readonly packages: string;
}

/** Where programs are found: first the path of current distributions. */
const PROGRAMS = {
  qjs: { paths: ["/usr/bin/qjs"], packages: "Debian: quickjs; Fedora: quickjs" },
  sh: { paths: ["/usr/bin/sh", "/bin/sh"], packages: "Debian: dash; Fedora: bash" },
  mount: { paths: ["/usr/bin/mount", "/bin/mount"], packages: "Debian: mount; Fedora: util-linux-core" },
  umount: { paths: ["/usr/bin/umount", "/bin/umount"], packages: "Debian: mount; Fedora: util-linux-core" },
  blkid: {
    paths: ["/usr/sbin/blkid", "/usr/bin/blkid", "/sbin/blkid"],
    packages: "Debian: util-linux; Fedora: util-linux-core",
  },
  switch_root: {
    paths: ["/usr/sbin/switch_root", "/usr/bin/switch_root", "/sbin/switch_root"],
    packages: "Debian: util-linux; Fedora: util-linux-core",
  },
} as const satisfies Record<string, ImageProgram>;

export type ImageProgramName = keyof typeof PROGRAMS;

/** A program that is given from outside. */
export interface GivenProgram {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface ImagePrograms {
  /** By name; `requestedPath` is the path in the image, `path` where the file really is. */
  readonly programs: ReadonlyMap<ImageProgramName, NeededFile>;
  /** The dynamic loader and the libraries of all of them. */
  readonly libraries: readonly NeededFile[];
}

/**
 * Collects programs and their libraries.
 *
 * @param interpreter used as `qjs` instead of the image's; the libraries that it needs, if any, are the image's
 * @throws SealrootError `unsupported` naming a missing program and the packages that have it, `not-found` for a library;
 *   `conflict` for programs of different CPUs
 */
export async function collectImagePrograms(
  files: ImageFiles,
  names: readonly ImageProgramName[],
  interpreter?: GivenProgram,
): Promise<ImagePrograms> {
  const given = interpreter && `--boot-program ${interpreter.path}`;
  const pathOf = new Map(names.map((name) => [name, (name === "qjs" && given) || findProgram(files, name)]));
  // The given one last: the error for another CPU then names it.
  const paths = [...pathOf.values()].sort((a, b) => Number(a === given) - Number(b === given));
  const needed = await collectLibraries(paths, async (path) => {
    if (interpreter !== undefined && path === given) return { path: interpreter.path, bytes: interpreter.bytes };
    const found = files.resolve(path);
    return found?.node.kind === "file" ? { path: found.path, bytes: await files.read(found.path) } : undefined;
  });
  const programs = new Map<ImageProgramName, NeededFile>();
  for (const [name, path] of pathOf) {
    const file = needed.find(({ requestedPath }) => requestedPath === path);
    if (file === undefined) throw new Error(`unreachable: ${path} was collected`);
    programs.set(name, file);
  }
  return { programs, libraries: needed.filter(({ role }) => role !== "program") };
}

/** One of the programs that were collected. */
export function programOf({ programs }: ImagePrograms, name: ImageProgramName): NeededFile {
  const found = programs.get(name);
  if (found === undefined) throw new Error(`unreachable: ${name} was not asked for`);
  return found;
}

function findProgram(files: ImageFiles, name: ImageProgramName): string {
  const { paths, packages } = PROGRAMS[name];
  const path = paths.find((candidate) => files.resolve(candidate)?.node.kind === "file");
  if (path === undefined) {
    throw new SealrootError("unsupported", `Cannot build the initramfs: the image has no ${name}`, {
      path: paths[0],
      hint: `install the package that has it in the image (${packages})${name === "qjs" ? ", or give it with --boot-program" : ""}`,
    });
  }
  return path;
}
