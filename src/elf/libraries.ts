/** The files a set of programs needs to run: their dynamic loader and libraries, recursively (ld.so(8)). */
import { SealrootError } from "../errors/index.ts";
import { ELF_MACHINE, type ElfFile, readElf } from "./read.ts";

/** Finds a file by an absolute path, links followed; `path` is where it really is. */
export type FindFile = (path: string) => Promise<{ readonly path: string; readonly bytes: Uint8Array } | undefined>;

/** One file of the closure. */
export interface NeededFile {
  /** Where the dynamic loader looks for it; this name must exist. */
  readonly requestedPath: string;
  /** Where it really is, links followed. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly role: "program" | "loader" | "library";
}

/** The triplet of Debian's multiarch folders. */
const TRIPLET: ReadonlyMap<number, string> = new Map([
  [ELF_MACHINE.x86_64, "x86_64-linux-gnu"],
  [ELF_MACHINE.aarch64, "aarch64-linux-gnu"],
]);

/** Where ld.so looks last, on Debian and elsewhere. */
function systemDirectories(machine: number): string[] {
  const triplet = TRIPLET.get(machine);
  const multiarch = triplet === undefined ? [] : [`/lib/${triplet}`, `/usr/lib/${triplet}`];
  return [...multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
}

/**
 * The programs with everything they need, each file once, in the order of discovery.
 *
 * Libraries that a program opens itself (dlopen, NSS, PAM) are not found this way; the programs of an initramfs do not
 * need any.
 *
 * @param programs absolute paths
 * @throws SealrootError `not-found` naming the library and who needs it; `conflict` for files of different CPUs
 */
export async function collectLibraries(programs: readonly string[], find: FindFile): Promise<NeededFile[]> {
  const collected = new Map<string, NeededFile>();
  let machine: number | undefined;
  const add = async (file: NeededFile): Promise<void> => {
    collected.set(file.requestedPath, file);
    const elf = readElf(file.bytes, file.requestedPath);
    machine ??= elf.machine;
    if (elf.machine !== machine) {
      throw new SealrootError("conflict", `Cannot use ${file.requestedPath}: the programs before are for another CPU`, {
        path: file.requestedPath,
        expected: `e_machine ${machine}`,
        actual: `e_machine ${elf.machine}`,
      });
    }
    const wanted: [role: NeededFile["role"], candidates: string[], name: string][] = [];
    if (elf.interpreter !== undefined) wanted.push(["loader", [elf.interpreter], elf.interpreter]);
    for (const name of elf.needed) wanted.push(["library", libraryPaths(name, elf, file.path), name]);
    for (const [role, candidates, name] of wanted) {
      if (candidates.some((path) => collected.has(path)) || isLoader(name, collected)) continue;
      await add(await findFirst(candidates, role, find, name, file.requestedPath));
    }
  };
  for (const program of programs) {
    if (!collected.has(program)) await add(await findFirst([program], "program", find, program, "the boot program"));
  }
  return [...collected.values()];
}

/** glibc's libraries name the loader among what they need; it is there already, by its own path. */
function isLoader(name: string, collected: ReadonlyMap<string, NeededFile>): boolean {
  return [...collected.values()].some((file) => file.role === "loader" && file.requestedPath.endsWith(`/${name}`));
}

/** The places where the dynamic loader looks for a library, in its order. */
function libraryPaths(name: string, elf: ElfFile, ownPath: string): string[] {
  if (name.includes("/")) return [name];
  const origin = ownPath.slice(0, ownPath.lastIndexOf("/"));
  const own = elf.runPath.map((directory) => directory.replace(/\$(?:ORIGIN|\{ORIGIN\})/g, origin));
  return [...own, ...systemDirectories(elf.machine)].map((directory) => `${directory}/${name}`);
}

async function findFirst(
  candidates: readonly string[],
  role: NeededFile["role"],
  find: FindFile,
  name: string,
  neededBy: string,
): Promise<NeededFile> {
  for (const requestedPath of candidates) {
    const found = await find(requestedPath);
    if (found !== undefined) return { requestedPath, ...found, role };
  }
  throw missing(name, neededBy);
}

function missing(name: string, neededBy: string): SealrootError {
  return new SealrootError("not-found", `Cannot find ${name} in the image: needed by ${neededBy}`, { path: name });
}
