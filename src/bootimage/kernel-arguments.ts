/** The kernel arguments that an image asks for itself, in TOML files (spec/host-lifecycle.md 6). */
import { checkCommandLine, type LineProtection } from "../bls/index.ts";
import { SealrootError } from "../errors/index.ts";
import { hasFileAt, type ImageFiles, namesAt } from "../tree/index.ts";
import { KARGS_FOLDER } from "./layout.ts";
import { parseTomlFile } from "./toml-file.ts";

/** What `match-architectures` may list: std::env::consts::ARCH of Rust, by which bootc compares. */
const RUST_ARCHITECTURES: ReadonlySet<string> = new Set([
  ...["x86", "x86_64", "arm", "aarch64", "riscv32", "riscv64", "loongarch32", "loongarch64", "powerpc", "powerpc64"],
  ...["s390x", "mips", "mips32r6", "mips64", "mips64r6", "sparc", "sparc64", "m68k", "csky", "hexagon"],
]);

/** One file of `kargs.d`. */
export interface KargsFile {
  readonly name: string;
  readonly text: string;
}

/**
 * Reads the `.toml` files of an image's `kargs.d`.
 * @throws SealrootError `unsupported` when the folder or a file of that name is something else, `corrupt` for a file that
 *   is not text
 */
export async function readKargsFiles(files: ImageFiles): Promise<KargsFile[]> {
  // For bootc, a name that is only the ending has no ending.
  const names = namesAt(files, KARGS_FOLDER).filter((name) => name.endsWith(".toml") && name !== ".toml");
  const paths = names.map((name) => ({ name, path: `${KARGS_FOLDER}/${name}` }));
  return Promise.all(
    paths
      .filter(({ path }) => hasFileAt(files, path))
      .map(async ({ name, path }) => ({ name, text: textOf(path, await files.read(path)) })),
  );
}

/**
 * The arguments of an image's `kargs.d`, files in the order of their names.
 *
 * @param architecture as Rust names it (`x86_64`), as in `match-architectures`; files for others are ignored
 * @param warn is told of architectures that no file can be for
 * @param protects for which kind of command line they are; `nothing`: they are only shown
 * @throws SealrootError `corrupt` naming the file and line, `unsupported` for an argument that such a line must not hold
 */
export function imageKernelArguments(
  files: readonly KargsFile[],
  architecture: string,
  warn: (text: string) => void = () => {},
  protects: LineProtection | "nothing" = "sealed",
): string[] {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return sorted.flatMap((file) => {
    const path = `${KARGS_FOLDER}/${file.name}`;
    const { kargs, architectures } = parseKargsFile(path, file.text);
    for (const name of architectures ?? []) {
      if (!RUST_ARCHITECTURES.has(name))
        warn(`${path}: "${name}" is not an architecture as Rust names it (x86_64, aarch64 …)`);
    }
    if (architectures !== undefined && !architectures.includes(architecture)) return [];
    if (protects === "nothing") return kargs;
    for (const argument of kargs) {
      checkCommandLine(argument, {
        what: `the kernel argument ${JSON.stringify(argument)} of ${path}`,
        decidedKeys: [],
        protects,
      });
    }
    return kargs;
  });
}

function parseKargsFile(path: string, text: string): { kargs: string[]; architectures: string[] | undefined } {
  const table = parseTomlFile(path, text);
  const kargs = stringList(table, "kargs", path);
  if (kargs === undefined) throw new SealrootError("corrupt", `Cannot parse ${path}: "kargs" is missing`, { path });
  for (const key of Object.keys(table)) {
    if (key !== "kargs" && key !== "match-architectures") {
      throw new SealrootError("corrupt", `Cannot parse ${path}: unknown key "${key}"`, { path });
    }
  }
  return { kargs, architectures: stringList(table, "match-architectures", path) };
}

function textOf(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot parse ${path}: it is not UTF-8 text`, { path }, error);
  }
}

function stringList(table: Record<string, unknown>, key: string, path: string): string[] | undefined {
  const value = table[key];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw new SealrootError("corrupt", `Cannot parse ${path}: "${key}" is not a list of texts`, { path });
  }
  return value;
}
