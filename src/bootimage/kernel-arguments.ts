/** The sealed command line: the image's digest first, then what the image and the user add. */
import { parse, TomlError } from "smol-toml";
import { CommandLine, type CommandLineArchitecture, checkCommandLine, checkUserArguments } from "../bls/index.ts";
import { SealrootError } from "../errors/index.ts";
import { hasFileAt, namesAt } from "../tree/index.ts";
import type { ImageFiles } from "./image-files.ts";

/** The folder of an image whose TOML files add kernel arguments (spec/host-lifecycle.md 6). */
const KARGS_FOLDER = "/usr/lib/bootc/kargs.d";

/** What `match-architectures` may list: std::env::consts::ARCH of Rust, by which bootc compares. */
const RUST_ARCHITECTURES: ReadonlySet<string> = new Set([
  ...["x86", "x86_64", "arm", "aarch64", "riscv32", "riscv64", "loongarch32", "loongarch64", "powerpc", "powerpc64"],
  ...["s390x", "mips", "mips32r6", "mips64", "mips64r6", "sparc", "sparc64", "m68k", "csky", "hexagon"],
]);

const IMPORT_NOTHING = "systemd.import_credentials=no";

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
  // A name that is nothing but the ending has no ending, for bootc.
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
 * @param architecture as Rust names it (`x86_64`), which is what `match-architectures` lists; files for others are
 *   passed over
 * @param warn is told of architectures that no file can be for
 * @throws SealrootError `corrupt` naming the file and line, `unsupported` for an argument that a sealed command line must
 *   not hold
 */
export function imageKernelArguments(
  files: readonly KargsFile[],
  architecture: string,
  warn: (text: string) => void = () => {},
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
    for (const argument of kargs) {
      checkCommandLine(argument, {
        what: `the kernel argument ${JSON.stringify(argument)} of ${path}`,
        decidedKeys: [],
      });
    }
    return kargs;
  });
}

/**
 * The command line of the UKI: the images that may be the root, `root=UUID=` when asked, `rw`, the image's arguments, the
 * user's, and `systemd.import_credentials=no` when the initramfs would take credentials.
 *
 * `rw` is always there: without it the generators in stock initramfs leave `/etc` and `/var` read-only
 * (spec/boot-chain.md I.4).
 *
 * @throws SealrootError `usage` for a user argument that a sealed command line must not hold, `unsupported` for a whole
 *   line that the kernel would not read as it was put together, or would cut off; `conflict` for an
 *   argument that imports credentials where none may be
 */
export function sealedCommandLine(options: {
  /** The composefs arguments. */
  readonly images: readonly string[];
  readonly rootUuid: string | undefined;
  readonly imageArguments: readonly string[];
  readonly userArguments: readonly string[];
  /** Whose kernel reads the line; undefined when its length is not to be looked at yet. */
  readonly architecture?: CommandLineArchitecture | undefined;
  /**
   * False for an initramfs in which systemd runs: it would start units out of credentials on the EFI system partition,
   * which nobody signed, before the root is verified (systemd.system-credentials(7)).
   */
  readonly importsCredentials?: boolean | undefined;
}): string {
  for (const argument of options.userArguments) checkUserArguments(argument);
  const sealed = [...options.images];
  if (options.rootUuid !== undefined) sealed.push(`root=UUID=${checkedUuid(options.rootUuid)}`);
  let line = CommandLine.parse(sealed.join(" ")).append("rw");
  for (const argument of [...options.imageArguments, ...options.userArguments]) line = line.add(argument);
  if (options.importsCredentials === false) line = withoutCredentials(line);
  const { architecture } = options;
  const decidedKeys = CommandLine.parse(sealed.join(" ")).arguments.map(({ key }) => key);
  checkCommandLine(line.toString(), {
    what: "the kernel command line",
    decidedKeys,
    ...(architecture !== undefined && { architecture }),
  });
  return line.toString();
}

/** Systemd takes the last one, so it stands at the end, and alone. */
function withoutCredentials(line: CommandLine): CommandLine {
  const others = line.removeExact(IMPORT_NOTHING);
  for (const key of ["systemd.import_credentials", "rd.systemd.import_credentials"]) {
    const [other] = others.all(key);
    if (other === undefined) continue;
    throw new SealrootError(
      "conflict",
      `Cannot use the kernel argument "${other.text}": an extended initramfs is sealed with ${IMPORT_NOTHING}`,
      { hint: "leave it out, or seal without --initramfs extend" },
    );
  }
  return others.append(IMPORT_NOTHING);
}

function checkedUuid(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new SealrootError("usage", `Cannot use --root-uuid: "${text}" is not a UUID`);
  }
  return text.toLowerCase();
}

function parseKargsFile(path: string, text: string): { kargs: string[]; architectures: string[] | undefined } {
  const table = parseTable(path, text);
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

function parseTable(path: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0] ?? "";
    throw new SealrootError("corrupt", `Cannot parse ${path}: ${reason}`, { path, line: error.line }, error);
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
