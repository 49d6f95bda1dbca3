/** `sealroot repo mkcomposefs SOURCE [IMAGE]`: the words and the bytes of composefs' mkcomposefs. */
import { mkdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type ErofsForm, writeErofs } from "../../erofs/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { inspectFilePlace, type Place, replaceFile } from "../../platform/index.ts";
import { type DirectoryNode, filterScan, parseDump } from "../../tree/index.ts";
import { type VerityAlgorithm, verityDigest } from "../../verity/index.ts";
import { type ArgumentSpecification, command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { checkOutputFile } from "../shared/output-file.ts";

/** They choose what a scan includes, or where it goes; dump text is complete by itself. */
const SCAN_OPTIONS = ["use-epoch", "skip-devices", "skip-xattrs", "user-xattrs", "hardlinks", "digest-store"] as const;

const ARGUMENTS = [
  { name: "SOURCE", summary: "directory, or dump text with --from-file" },
  { name: "IMAGE", summary: "file to write", optional: true },
] as const satisfies readonly ArgumentSpecification[];

const OPTIONS = [
  { flags: "--from-file", summary: "SOURCE is dump text", excludes: SCAN_OPTIONS },
  { flags: "--print-digest", summary: "print the image's fs-verity digest as well" },
  { flags: "--print-digest-only", summary: "print the digest and write nothing" },
  { flags: "--min-version <N>", summary: "lowest version of the header", choices: ["0", "1"] },
  { flags: "--max-version <N>", summary: "version to which whiteouts may raise it", choices: ["0", "1"] },
  {
    flags: "--erofs-version <N>",
    summary: "exactly this version",
    choices: ["0", "1", "2"],
    excludes: ["min-version", "max-version"],
  },
  { flags: "--hash <HASH>", summary: "hash of the digests (default: sha256)", choices: ["sha256", "sha512"] },
  { flags: "--digest-store <DIR>", summary: "store the directory's larger files there, by digest" },
  { flags: "--use-epoch", summary: "set all times to 1970" },
  { flags: "--skip-devices", summary: "leave out block and character devices" },
  { flags: "--skip-xattrs", summary: "leave out all extended attributes" },
  { flags: "--user-xattrs", summary: "leave out all extended attributes but user.*", excludes: ["skip-xattrs"] },
  { flags: "--hardlinks", summary: "keep hard links of the directory; mkcomposefs never does" },
  { flags: "--threads <N>", summary: "accepted for compatibility with mkcomposefs", hidden: true },
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS, typeof ARGUMENTS>;

export const repoMkcomposefs = command({
  description: `Makes an image from a directory, or with --from-file from dump text (composefs-dump(5)), byte for byte
as mkcomposefs does. "-" is standard input or standard output. Without a version the image has version 0, or 1 if the
tree contains whiteouts; --erofs-version 2 makes the legacy form of composefs-rs.`,
  arguments: ARGUMENTS,
  options: OPTIONS,
  examples: [
    "sealroot repo mkcomposefs --digest-store objects rootfs image.erofs",
    "sealroot repo mkcomposefs --from-file --print-digest-only rootfs.dump",
  ],
  async run(invocation) {
    const algorithm: VerityAlgorithm = invocation.option("hash") === "sha512" ? "sha512" : "sha256";
    const target = imageTarget(invocation);
    const form = formOf(invocation);
    const isFile = target !== undefined && target !== "-";
    // Checked before the source, which may take long to read.
    if (isFile) checkOutputFile(target, `image ${target}`);
    const place = isFile ? inspectFilePlace(target, `Cannot write image ${target}`) : undefined;
    const tree = await sourceTree(invocation, algorithm);
    const image = writeErofs(tree, { form, algorithm, dialect: form === "v2" ? "rs" : "c" });
    if (target === "-") await invocation.output.bytes(image);
    else if (place !== undefined) writeImage(place, image);
    if (invocation.flag("print-digest") || invocation.flag("print-digest-only")) {
      invocation.output.line(verityDigest(image, algorithm));
    }
  },
});

/** Where the image goes: a path, "-", or undefined for nowhere. */
function imageTarget(invocation: Call): string | undefined {
  const target = invocation.optionalArgument("IMAGE");
  if (invocation.flag("print-digest-only")) {
    if (target === undefined) return undefined;
    throw new SealrootError("usage", "Cannot write an image with --print-digest-only: IMAGE is one argument too many");
  }
  if (target === undefined) throw new SealrootError("usage", "Cannot write an image: IMAGE is missing");
  if (target === "-" && invocation.flag("print-digest")) {
    throw new SealrootError("usage", "Cannot print a digest: standard output takes the image", {
      hint: "give IMAGE a name, or use --print-digest-only",
    });
  }
  return target;
}

/** The C tool's rule: either bound resets the other one to 0, then the upper is raised to the lower (spec/erofs.md 0). */
function formOf(invocation: Call): ErofsForm {
  const exact = invocation.option("erofs-version");
  const [min, max] = [invocation.option("min-version"), invocation.option("max-version")];
  if (exact !== undefined) return exact === "2" ? "v2" : exact === "1" ? "v1" : "v0";
  if (min === "1") return "v1";
  return max === "1" || (min === undefined && max === undefined) ? "c-default" : "v0";
}

async function sourceTree(invocation: Call, algorithm: VerityAlgorithm): Promise<DirectoryNode> {
  const source = invocation.argument("SOURCE");
  if (invocation.flag("from-file")) return parseDump(readSource(source), { allowNegativeTimes: true });
  const store = invocation.option("digest-store");
  if (store !== undefined) makeStore(store);
  const { scanDirectory } = await import("../../repository/index.ts"); // half of the verb's code; dump text needs none of it
  const { root } = await scanDirectory(source, {
    algorithm,
    breakHardLinks: !invocation.flag("hardlinks"),
    ...(store === undefined ? {} : { digestStore: resolve(store) }),
  });
  filterScan(root, {
    xattrs: invocation.flag("skip-xattrs") ? "none" : invocation.flag("user-xattrs") ? "user" : "all",
    keepDevices: !invocation.flag("skip-devices"),
    atEpoch: invocation.flag("use-epoch"),
  });
  return root;
}

function makeStore(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw asSealrootError(error, `Cannot make the digest store ${path}`, { path });
  }
}

const STANDARD_INPUT = 0;

function readSource(path: string): Uint8Array {
  try {
    return readFileSync(path === "-" ? STANDARD_INPUT : path);
  } catch (error) {
    throw asSealrootError(error, `Cannot read dump text ${path}`, { path });
  }
}

function writeImage(place: Place, image: Uint8Array): void {
  const action = `Cannot write image ${place.path}`;
  try {
    replaceFile(place, image, action);
  } catch (error) {
    throw asSealrootError(error, action, { path: place.path });
  }
}
