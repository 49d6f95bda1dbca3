/** The sealed command line: the image's digest first, then what the image and the user add. */
import { parse, TomlError } from "smol-toml";
import { CommandLine, checkUserArguments } from "../bls/index.ts";
import { SealrootError } from "../errors/index.ts";

/** The folder of an image whose TOML files add kernel arguments (spec/host-lifecycle.md 6). */
export const KARGS_FOLDER = "/usr/lib/bootc/kargs.d";

/** One file of `kargs.d`. */
export interface KargsFile {
  readonly name: string;
  readonly text: string;
}

/**
 * The arguments of an image's `kargs.d`, files in the order of their names.
 *
 * @param architecture as Rust names it (`x86_64`), which is what `match-architectures` lists
 * @throws SealrootError `corrupt` naming the file and line, `usage` for an argument only the seal may set
 */
export function imageKernelArguments(files: readonly KargsFile[], architecture: string): string[] {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return sorted.flatMap((file) => {
    const { kargs, architectures } = parseKargsFile(file);
    if (architectures !== undefined && !architectures.includes(architecture)) return [];
    for (const argument of kargs) checkUserArguments(argument);
    return kargs;
  });
}

/**
 * The command line of the UKI: the images that may be the root, `root=UUID=` when asked, `rw`, the image's arguments, the user's.
 *
 * `rw` is always there: without it the generators in stock initramfs leave `/etc` and `/var` read-only
 * (spec/boot-chain.md I.4).
 *
 * @throws SealrootError `usage` when a user argument would choose another root or init
 */
export function sealedCommandLine(options: {
  /** The composefs arguments. */
  readonly images: readonly string[];
  readonly rootUuid: string | undefined;
  readonly imageArguments: readonly string[];
  readonly userArguments: readonly string[];
}): string {
  for (const argument of options.userArguments) checkUserArguments(argument);
  let line = CommandLine.parse(options.images.join(" "));
  if (options.rootUuid !== undefined) line = line.append(`root=UUID=${checkedUuid(options.rootUuid)}`);
  line = line.append("rw");
  for (const argument of [...options.imageArguments, ...options.userArguments]) line = line.add(argument);
  return line.toString();
}

function checkedUuid(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new SealrootError("usage", `Cannot use --root-uuid: "${text}" is not a UUID`);
  }
  return text.toLowerCase();
}

function parseKargsFile(file: KargsFile): { kargs: string[]; architectures: string[] | undefined } {
  const path = `${KARGS_FOLDER}/${file.name}`;
  let table: Record<string, unknown>;
  try {
    table = parse(file.text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0] ?? "";
    throw new SealrootError("corrupt", `Cannot parse ${path}: ${reason}`, { path, line: error.line }, error);
  }
  const kargs = stringList(table, "kargs", path);
  if (kargs === undefined) throw new SealrootError("corrupt", `Cannot parse ${path}: "kargs" is missing`, { path });
  for (const key of Object.keys(table)) {
    if (key !== "kargs" && key !== "match-architectures") {
      throw new SealrootError("corrupt", `Cannot parse ${path}: unknown key "${key}"`, { path });
    }
  }
  return { kargs, architectures: stringList(table, "match-architectures", path) };
}

function stringList(table: Record<string, unknown>, key: string, path: string): string[] | undefined {
  const value = table[key];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw new SealrootError("corrupt", `Cannot parse ${path}: "${key}" is not a list of texts`, { path });
  }
  return value;
}
