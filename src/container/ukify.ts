/** The UKI of a root file system, as `bootc container ukify` has it built (bootc 1.17, ukify.rs; spec/upstream-1.17.md 2b). */
import { basename, join } from "node:path";
import {
  CommandLine,
  type CommandLineArchitecture,
  checkCommandLine,
  checkUserArguments,
  SEALED_LINE_KEYS,
} from "../bls/index.ts";
import {
  type Architecture,
  findArchitecture,
  findBootProgram,
  findEnrolmentFiles,
  imageKernelArguments,
  kernelFolder,
  OS_RELEASE_PATH,
  readKargsFiles,
  stubPath,
  type UnsealedContents,
} from "../bootimage/index.ts";
import { formatPermit } from "../bootplan/index.ts";
import type { Signer } from "../cms/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import { databasesOf, verifyBootProgram } from "../keys/index.ts";
import {
  addSections,
  buildUki,
  checkSbatText,
  type EfiArchitecture,
  parsePe,
  signPe,
  ukiPolicies,
  withPcrSignatures,
} from "../pe/index.ts";
import { inspectFilePlace, replaceFile } from "../platform/index.ts";
import { directoryTree, imageIdOfTree } from "../repository/index.ts";
import {
  type InitramfsCarrier,
  imagesToName,
  makeInitramfs,
  type NamedImage,
  SEAL_ALGORITHM,
  type SealedForm,
  UnpackBudget,
} from "../seal/index.ts";
import {
  joinPcrSignatures,
  type PcrBank,
  type PcrSignatures,
  type PolicySigner,
  policyKeyPem,
  signPolicies,
} from "../tpm/index.ts";
import { allDirectories, type DirectoryNode, formatDump } from "../tree/index.ts";
import { policySignerOfFiles, readGivenFile, readGivenText, signerOfFiles } from "./given-files.ts";
import { findImageKernel, type ImageKernel } from "./image-kernel.ts";
import { buildMachine } from "./inspect-root.ts";
import type { RootDirectory } from "./root-directory.ts";
import type { UkifyOptions } from "./ukify-options.ts";

export interface UkifySettings {
  readonly directory: RootDirectory;
  /** Where the kernel was split off to: its name is the kernel's release. */
  readonly kernelDirectory: string | undefined;
  readonly form: SealedForm;
  readonly verityOptional: boolean;
  /** After all other arguments of the command line. */
  readonly kernelArguments: readonly string[];
  /** `image`: the initramfs as it is; the others as `seal` makes them. */
  readonly initramfs: InitramfsCarrier | "image";
  readonly dumpFile: string | undefined;
  readonly options: UkifyOptions;
  readonly events: EventSink;
}

export interface UkifyReport {
  readonly output: string;
  /** The image id that the UKI names first. */
  readonly imageId: string;
  readonly images: readonly Pick<NamedImage, "id" | "version">[];
  readonly commandLine: string;
  readonly kernelRelease: string;
  readonly initramfsSizeBytes: number;
  readonly ukiSizeBytes: number;
  readonly signed: boolean;
}

/** What is put together, besides the command line. */
interface Parts {
  readonly kernel: Uint8Array;
  /** The initramfs beside the kernel, if there is one. */
  readonly initramfs: Uint8Array | undefined;
  readonly kernelRelease: string;
  readonly architecture: Architecture;
}

/**
 * Builds and writes the UKI.
 *
 * @returns what was built, and its bytes
 * @throws SealrootError naming what the image lacks; `conflict` for an image that has a UKI; `untrusted` when the keys that
 *   the image enrols would refuse the signed UKI
 */
export async function buildImageUki(settings: UkifySettings): Promise<{ report: UkifyReport; uki: Uint8Array }> {
  const { directory, options, events } = settings;
  for (const argument of settings.kernelArguments) checkUserArguments(argument);
  const signer =
    options.privateKey === undefined ? undefined : signerOfFiles(options.privateKey, options.certificate ?? "");
  const place = inspectFilePlace(options.output, "Cannot write the UKI");
  const { dumpFile } = settings;
  const dumpPlace = dumpFile === undefined ? undefined : inspectFilePlace(dumpFile, "Cannot write the dump file");
  const parts = readParts(settings);
  const policyKeys = options.policyKeys.map(({ privateKey, publicKey, phases }) => ({
    signer: policySignerOfFiles(privateKey, publicKey),
    phases,
  }));
  const root = await runStep(events, "hash files", (reporter) =>
    directoryTree(directory.path, { algorithm: SEAL_ALGORITHM, bootable: true, reporter }),
  );
  return runStep(events, "build the UKI", async ({ warn }) => {
    warnOfFractions(root, warn);
    const images = imagesToName(settings.form, settings.verityOptional, (version) =>
      imageIdOfTree(root, SEAL_ALGORITHM, version),
    );
    if (dumpPlace !== undefined) replaceFile(dumpPlace, formatDump(root), "Cannot write the dump file");
    const commandLine = await commandLineOf(settings, images, parts.architecture.efi, warn);
    const initramfs = await initramfsOf(settings, parts, root, commandLine, warn);
    const bare = await assemble(settings, parts, initramfs, { commandLine, signer, policyKeys });
    const unsigned = await withPolicies(bare, policyKeys, options.pcrBanks);
    const uki = signer === undefined ? unsigned : await signPe(unsigned, signer);
    if (signer !== undefined) {
      await verifyBootProgram(uki, "the UKI", databasesOf(findEnrolmentFiles(directory.files)));
    }
    replaceFile(place, uki, "Cannot write the UKI");
    const report: UkifyReport = {
      output: options.output,
      imageId: images[0].id,
      images: images.map(({ id, version }) => ({ id, version })),
      commandLine,
      kernelRelease: options.kernelRelease ?? parts.kernelRelease,
      initramfsSizeBytes: initramfs.length,
      ukiSizeBytes: uki.length,
      signed: signer !== undefined,
    };
    return { report, uki };
  });
}

function readParts({ directory, kernelDirectory, initramfs: carrier, options }: UkifySettings): Parts {
  const architecture = architectureNamed(options.efiArchitecture);
  const found = findImageKernel(directory);
  if (found !== undefined && found.type !== "vmlinuz") throw hasBootImage(found);
  const needsInitramfs = carrier !== "minimal";
  if (kernelDirectory !== undefined) {
    const path = join(kernelDirectory, "initramfs.img");
    return {
      kernel: readGivenFile(join(kernelDirectory, "vmlinuz"), "the kernel"),
      initramfs: needsInitramfs ? readGivenFile(path, "the initramfs", INITRAMFS_HINT) : undefined,
      kernelRelease: basename(kernelDirectory),
      architecture,
    };
  }
  if (found === undefined) {
    throw new SealrootError("not-found", `Cannot build the UKI: No kernel found in ${directory.path}`, {
      path: `${kernelFolder("VERSION")}/vmlinuz`,
      hint: "after split-kernel-and-rootfs, name its folder: --kernel-dir OUTPUT/VERSION",
    });
  }
  if (needsInitramfs && found.initramfsPath === undefined) {
    const path = `${kernelFolder(found.version)}/initramfs.img`;
    throw new SealrootError("not-found", `Cannot build the UKI: Initramfs not found at ${path}`, {
      path,
      hint: INITRAMFS_HINT,
    });
  }
  const { files } = directory;
  return {
    kernel: files.read(found.path),
    initramfs: found.initramfsPath === undefined ? undefined : files.read(found.initramfsPath),
    kernelRelease: found.version,
    architecture,
  };
}

const INITRAMFS_HINT = "build one in the image, or give --initramfs minimal, which needs none";

function hasBootImage({ path }: ImageKernel): SealrootError {
  return new SealrootError("conflict", `Cannot build the UKI: rootfs already contains a boot image at ${path}`, {
    path,
    hint: "build it of the image that this one was made from",
  });
}

/** The architecture of the machine that builds, or the one that ukify was told. */
function architectureNamed(efi: string | undefined): Architecture {
  if (efi === undefined) {
    const own = findArchitecture("node", process.arch);
    if (own !== undefined) return own;
  }
  const named = ["amd64", "arm64"].map((name) => findArchitecture("oci", name)).find((row) => row?.efi === efi);
  if (named !== undefined) return named;
  throw new SealrootError("unsupported", `Cannot build a UKI for "${efi ?? process.arch}"`, { expected: "x64, aa64" });
}

/** In bootc's order: the image's arguments, which image is the root, what the user adds. */
async function commandLineOf(
  { directory, kernelArguments, initramfs }: UkifySettings,
  images: readonly NamedImage[],
  architecture: EfiArchitecture & CommandLineArchitecture,
  warn: (text: string) => void,
): Promise<string> {
  const imageArguments = imageKernelArguments(await readKargsFiles(directory.files), buildMachine(), warn);
  // Where our boot program is, generators of a stock initramfs would otherwise leave /etc read-only (spec/boot-chain.md I.4).
  const own = initramfs === "image" ? [] : ["rw"];
  const closing = initramfs === "extend" ? ["systemd.import_credentials=no"] : [];
  let line = new CommandLine();
  for (const argument of [...imageArguments, ...images.map(({ argument }) => argument), ...own, ...kernelArguments]) {
    line = line.add(argument);
  }
  for (const argument of closing) line = line.removeExact(argument).append(argument);
  const text = line.toString();
  checkCommandLine(text, { what: "the kernel command line", decidedKeys: SEALED_LINE_KEYS, architecture });
  return text;
}

async function initramfsOf(
  { initramfs: carrier, directory, options }: UkifySettings,
  parts: Parts,
  root: DirectoryNode,
  commandLine: string,
  warn: (text: string) => void,
): Promise<Uint8Array> {
  const more = options.initramfs.map((path) => readGivenFile(path, "the initramfs"));
  if (carrier === "image") {
    const all = joined([parts.initramfs ?? new Uint8Array(0), ...more]);
    if (findBootProgram(all) === undefined) {
      warn("no program in the initramfs makes the root of a composefs image: this UKI will not boot; see --initramfs");
    }
    return all;
  }
  const components: UnsealedContents = {
    kernelRelease: parts.kernelRelease,
    kernelPath: `${kernelFolder(parts.kernelRelease)}/vmlinuz`,
    initramfsPath: parts.initramfs === undefined ? undefined : `${kernelFolder(parts.kernelRelease)}/initramfs.img`,
    companionPaths: [],
    otherKernelFolders: [],
    loaderPath: "",
    stubPath: stubPath(parts.architecture.efi),
    osReleasePath: OS_RELEASE_PATH,
  };
  const base = parts.initramfs;
  const files = {
    resolve: (path: string) => directory.files.resolve(path),
    list: (path: string) => directory.files.list(path),
    read: (path: string) =>
      path === components.initramfsPath && base !== undefined ? base : directory.files.read(path),
  };
  const sealedRoot = { permit: formatPermit(CommandLine.parse(commandLine)), objectIds: objectIdsOf(root) };
  return joined([await makeInitramfs(carrier, files, components, { sealedRoot, budget: new UnpackBudget() }), ...more]);
}

/** Each begins at a multiple of 4 bytes, as ukify pads them. */
function joined(archives: readonly Uint8Array[]): Uint8Array {
  if (archives.length === 1 && archives[0] !== undefined) return archives[0];
  return Buffer.concat(archives.flatMap((archive) => [archive, Buffer.alloc((4 - (archive.length % 4)) % 4)]));
}

interface PolicyKey {
  readonly signer: PolicySigner;
  readonly phases: readonly string[];
}

/** What is made of the image and the keys. */
interface Contents {
  readonly commandLine: string;
  readonly signer: Signer | undefined;
  readonly policyKeys: readonly PolicyKey[];
}

/** Signed after everything that is measured is there, which the signatures are not. */
async function withPolicies(
  uki: Uint8Array,
  policyKeys: readonly PolicyKey[],
  banks: readonly PcrBank[],
): Promise<Uint8Array> {
  if (policyKeys.length === 0) return uki;
  const image = parsePe(uki, "the UKI");
  const signed: PcrSignatures[] = [];
  for (const { signer, phases } of policyKeys) {
    signed.push(await signPolicies(ukiPolicies(image, banks, phases), signer));
  }
  return withPcrSignatures(uki, joinPcrSignatures(signed));
}

async function assemble(
  { directory, options }: UkifySettings,
  { kernel, kernelRelease, architecture }: Parts,
  initramfs: Uint8Array,
  { commandLine, signer, policyKeys }: Contents,
): Promise<Uint8Array> {
  const { deviceTree, splash, pcrPublicKey, microcode } = options;
  const optional = (path: string | undefined, what: string) =>
    path === undefined ? undefined : readGivenFile(path, what);
  const osRelease =
    options.osRelease === undefined
      ? directory.files.read(OS_RELEASE_PATH)
      : readGivenText(options.osRelease, directory);
  const [first, other] = policyKeys;
  const own = first && policyKeyPem(first.signer.publicKey);
  const parts = {
    deviceTree: optional(deviceTree, "the device tree"),
    splash: optional(splash, "the splash picture"),
    // With several keys it is not known to which of them secrets are to be bound.
    pcrPublicKey: optional(pcrPublicKey, "the public key for PCR 11") ?? (other === undefined ? own : undefined),
    microcode: optional(microcode, "the microcode"),
  };
  const uki = buildUki({
    stub: readStub(directory, options.stub, architecture),
    osRelease,
    commandLine,
    kernelRelease: options.kernelRelease ?? kernelRelease,
    kernel: options.signKernel && signer !== undefined ? await signPe(kernel, signer) : kernel,
    initramfs,
    sbat: options.sbat.map((text) => sbatText(text, directory)),
    ...Object.fromEntries(Object.entries(parts).filter(([, bytes]) => bytes !== undefined)),
  });
  const sections = options.sections.map((text) => {
    const colon = text.indexOf(":");
    if (colon <= 0) {
      throw new SealrootError("usage", `Cannot use ukify's --section ${JSON.stringify(text)}: NAME:TEXT or NAME:@FILE`);
    }
    const name = text.slice(0, colon);
    return { name: name.startsWith(".") ? name : `.${name}`, content: readGivenText(text.slice(colon + 1), directory) };
  });
  return sections.length === 0 ? uki : addSections(uki, sections);
}

/** Lines that shim could not read are refused; ukify leaves them out. */
function sbatText(given: string, directory: RootDirectory): string {
  const text = Buffer.from(readGivenText(given, directory)).toString("utf8");
  checkSbatText(text, `ukify's --sbat ${given.startsWith("@") ? given : "TEXT"}`);
  return text;
}

/** The one that was named; the image's own; that of the machine that builds, which is where ukify looks. */
function readStub(directory: RootDirectory, given: string | undefined, architecture: Architecture): Uint8Array {
  const path = stubPath(architecture.efi);
  if (given !== undefined) return readGivenFile(given, "the EFI stub");
  if (directory.files.resolve(path)?.node.kind === "file") return directory.files.read(path);
  return readGivenFile(
    path,
    "the EFI stub",
    "install it here or in the image (Debian: systemd-boot-efi), or give --stub",
  );
}

function* objectIdsOf(root: DirectoryNode): Generator<string, void, undefined> {
  for (const { entries } of allDirectories(root)) {
    for (const node of entries.values()) {
      if (node.kind !== "file" || node.content.type !== "external") continue;
      if (node.content.objectId !== undefined) yield node.content.objectId;
    }
  }
}

/** What builders write into layers has whole seconds, so an image with fractions of them has another digest. */
function warnOfFractions(root: DirectoryNode, warn: (text: string) => void): void {
  let count = 0;
  for (const directory of allDirectories(root)) {
    if (directory.metadata.mtimeNanoseconds !== 0) count++;
    for (const node of directory.entries.values()) {
      if (node.kind !== "directory" && node.metadata.mtimeNanoseconds !== 0) count++;
    }
  }
  if (count === 0) return;
  warn(
    `${count} files and directories have times with fractions of a second, which builders leave out of layers: the image ` +
      "may have another digest; let the builder commit this stage first (buildah build --layers)",
  );
}
