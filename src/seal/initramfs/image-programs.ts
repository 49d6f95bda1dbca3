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
  "systemd-cryptsetup": {
    paths: ["/usr/bin/systemd-cryptsetup", "/usr/lib/systemd/systemd-cryptsetup"],
    packages: "Debian: systemd-cryptsetup; Fedora: systemd-udev",
  },
  "systemd-cryptenroll": {
    paths: ["/usr/bin/systemd-cryptenroll"],
    packages: "Debian: systemd-cryptsetup; Fedora: systemd-udev",
  },
} as const satisfies Record<string, ImageProgram>;

export type ImageProgramName = keyof typeof PROGRAMS;

/** What opens an encrypted root, and binds it to a TPM. */
const UNLOCK_PROGRAMS = ["systemd-cryptsetup", "systemd-cryptenroll"] as const;
/** What systemd opens by itself when it asks a TPM (systemd, tpm2-util.c: dlopen_tpm2(), and the driver `device`). */
const TPM_LIBRARIES = ["libtss2-esys.so.0", "libtss2-mu.so.0", "libtss2-rc.so.0", "libtss2-tcti-device.so.0"];
const LIBRARY_FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];

/** What an initramfs needs to open an encrypted root. */
export interface UnlockParts {
  readonly programs: readonly ImageProgramName[];
  /** Paths of libraries that no program names. */
  readonly libraries: readonly string[];
}

/** What of the image opens an encrypted root; undefined when it is not all there: most images want none. */
export function findUnlockParts(files: ImageFiles): UnlockParts | undefined {
  const isFile = (path: string) => files.resolve(path)?.node.kind === "file";
  if (!UNLOCK_PROGRAMS.every((name) => PROGRAMS[name].paths.some(isFile))) return undefined;
  const libraries = TPM_LIBRARIES.map((name) => LIBRARY_FOLDERS.map((folder) => `${folder}/${name}`).find(isFile));
  const found = libraries.filter((path) => path !== undefined);
  return found.length === libraries.length ? { programs: UNLOCK_PROGRAMS, libraries: found } : undefined;
}

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

export interface CollectedBesides {
  readonly interpreter?: GivenProgram | undefined;
  readonly libraries?: readonly string[];
}

/**
 * Collects programs and their libraries.
 *
 * @param more.interpreter used as `qjs` instead of the image's; the libraries that it needs, if any, are the image's
 * @param more.libraries paths of libraries besides those that programs name
 * @throws SealrootError `unsupported` naming a missing program and the packages that have it, `not-found` for a library;
 *   `conflict` for programs of different CPUs
 */
export async function collectImagePrograms(
  files: ImageFiles,
  names: readonly ImageProgramName[],
  { interpreter, libraries = [] }: CollectedBesides = {},
): Promise<ImagePrograms> {
  const given = interpreter && `--boot-program ${interpreter.path}`;
  const pathOf = new Map(names.map((name) => [name, (name === "qjs" && given) || findProgram(files, name)]));
  // The given one last: the error for another CPU then names it.
  const paths = [...pathOf.values()].sort((a, b) => Number(a === given) - Number(b === given));
  const needed = await collectLibraries([...paths, ...libraries], async (path) => {
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
  const isLibrary = ({ role, requestedPath }: NeededFile) => role !== "program" || libraries.includes(requestedPath);
  return { programs, libraries: needed.filter(isLibrary) };
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
