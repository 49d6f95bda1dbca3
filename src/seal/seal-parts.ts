/** Everything that is put into a sealed image, in the order that gives the right digest. */
import { CommandLine } from "../bls/index.ts";
import {
  type Architecture,
  attachedLoaderPath,
  type EnrolmentFile,
  enrolmentPath,
  findEnrolmentFiles,
  findUnsealedContents,
  imageKernelArguments,
  readKargsFiles,
  sealedUkiPath,
  signedLoaderPath,
  type UnsealedContents,
} from "../bootimage/index.ts";
import { formatPermit } from "../bootplan/index.ts";
import type { Signer } from "../cms/index.ts";
import {
  databasesOf,
  type EnrolmentFiles,
  isSigned,
  type ProgramSigner,
  signProgram,
  verifyBootProgram,
} from "../keys/index.ts";
import { buildUki } from "../pe/index.ts";
import { collectGarbage } from "../platform/index.ts";
import type { TarMember } from "../tar/index.ts";
import { policyKeyPem } from "../tpm/index.ts";
import {
  allDirectories,
  cloneTree,
  type DirectoryNode,
  hasFileAt,
  type ImageFiles,
  type TreeFiles,
} from "../tree/index.ts";
import { type AddedFile, addedLayerMembers, applyMembers } from "./added-layer.ts";
import { type BootPrograms, type PinnedProgram, readBootPrograms, type SystemdProgram } from "./boot-programs.ts";
import { sealedCommandLine } from "./command-line.ts";
import { bootImageIds } from "./image-id.ts";
import { type ImageProgram, imagePrograms } from "./image-programs.ts";
import type { SealedRoot } from "./initramfs/index.ts";
import { findRefusedModules, refusedModulesTexts } from "./module-signatures.ts";
import { type PcrPolicyChoice, withSignedPolicies } from "./pcr-policies.ts";
import { imagesToName, type NamedImage, type SealedForm } from "./sealed-forms.ts";
import type { UnpackedImage } from "./unpack-image.ts";

/** The folder of keys that systemd-boot enrols by itself if that is safe (loader.conf(5), secure-boot-enroll). */
const ENROLLED_WHERE_SAFE = "auto";
/** Digits of the digest that is sealed. */
const SHA512_HEX_DIGITS = 128;

export interface SealSettings {
  readonly architecture: Architecture;
  /** Signs boot loader and UKI; undefined leaves the UKI to be signed elsewhere. */
  readonly signer: Signer | ProgramSigner | undefined;
  /** A boot loader signed elsewhere, used instead of signing the image's, or the one the image must have. */
  readonly loader: PinnedProgram | undefined;
  /** The stub to build the UKI with instead of the image's, or the one the image must have. */
  readonly stub: PinnedProgram | undefined;
  readonly enrolment: EnrolmentFiles | undefined;
  /** The release of the kernel to seal, of an image that has several; they go, with their modules. */
  readonly kernelRelease: string | undefined;
  /** Has the UKI carry policies for PCR 11, or the key of those that are signed elsewhere. */
  readonly policies: PcrPolicyChoice | undefined;
  /** Texts for the UKI's section of SBAT, in place of ukify's. */
  readonly sbat: readonly string[];
  readonly rootUuid: string | undefined;
  readonly form: SealedForm;
  readonly verityOptional: boolean;
  readonly userArguments: readonly string[];
  /** As for {@link sealedCommandLine}. */
  readonly importsCredentials: boolean;
  /** mtime of everything new in the image, seconds since 1970. */
  readonly timeSeconds: bigint;
  /** Told what the image contains and what has no effect. */
  readonly warn: (text: string) => void;
  /** Makes the initramfs that goes into the UKI; it knows the root that it is sealed with. */
  buildInitramfs(components: UnsealedContents, sealedRoot: SealedRoot): Promise<Uint8Array>;
}

export interface SealParts {
  /** The images whose digests are sealed; the deployment is named after the first. */
  readonly images: readonly [NamedImage, ...NamedImage[]];
  readonly commandLine: string;
  readonly kernelRelease: string;
  readonly loader: SystemdProgram;
  readonly stub: SystemdProgram;
  readonly uki: Uint8Array;
  readonly ukiPath: string;
  readonly initramfsSizeBytes: number;
  /** What was not signed. */
  readonly unsigned: readonly ImageProgram[];
  /** The layer to add. */
  readonly members: TarMember[];
}

/**
 * Makes the added layer of a sealed image.
 *
 * First everything under /usr, then the digest, then the initramfs that permits only this digest, then the UKI into
 * /boot, which the digest does not cover.
 *
 * @throws SealrootError as {@link findUnsealedContents} and {@link readBootPrograms}; `untrusted` when the keys that the
 *   image enrols would refuse what was signed or given
 */
export async function makeSealParts(
  image: Pick<UnpackedImage, "repository" | "root" | "files">,
  settings: SealSettings,
): Promise<SealParts> {
  const { root, files } = image;
  const { architecture, timeSeconds } = settings;
  const given = {
    loader: settings.loader?.type === "file",
    stub: settings.stub?.type === "file",
    kernelRelease: settings.kernelRelease,
  };
  const components = findUnsealedContents(files, architecture, given);
  const imageArguments = imageKernelArguments(await readKargsFiles(files), architecture.machine, settings.warn);
  const programs = await readBootPrograms(files, components, architecture, settings);
  const databases = databasesOf(enrolledFiles(files, settings.enrolment));
  const refused = await findRefusedModules(files, components.kernelRelease, databases);
  for (const text of refusedModulesTexts(refused)) settings.warn(text);
  const signedLoader = await makeSignedLoader(programs, settings);
  if (signedLoader !== undefined) await verifyBootProgram(signedLoader, "the boot loader", databases);
  const added: AddedFile[] = [
    ...(signedLoader ? [{ path: signedLoaderPath(architecture.efi), bytes: signedLoader }] : []),
    ...enrolmentFiles(settings.enrolment).map(({ name, bytes }) => ({
      path: enrolmentPath(ENROLLED_WHERE_SAFE, name),
      bytes,
    })),
  ];
  const { kernelPath, companionPaths, initramfsPath, otherKernelFolders } = components;
  // Attached to an earlier seal of the image; it need not be the loader of this one.
  const staleLoader = attachedLoaderPath(architecture.efi);
  const removed = [
    ...[kernelPath, ...companionPaths, ...otherKernelFolders],
    ...(initramfsPath === undefined ? [] : [initramfsPath]),
    ...(hasFileAt(files, staleLoader) ? [staleLoader] : []),
  ];
  const commandLineOver = (images: readonly NamedImage[]) =>
    sealedCommandLine({
      images: images.map(({ argument }) => argument),
      rootUuid: settings.rootUuid,
      imageArguments,
      userArguments: settings.userArguments,
      importsCredentials: settings.importsCredentials,
      architecture: architecture.efi,
    });
  // Refused before the work, which changes the digests but not their lengths.
  commandLineOver(imagesToName(settings.form, settings.verityOptional, () => "0".repeat(SHA512_HEX_DIGITS)));

  const { images, objectIds } = identify(image, addedLayerMembers(root, { added, removed }, timeSeconds), settings);
  // The second tree, before kernel, initramfs and UKI join it.
  collectGarbage();
  const commandLine = commandLineOver(images);
  const initramfs = await settings.buildInitramfs(components, {
    permit: formatPermit(CommandLine.parse(commandLine)),
    objectIds,
  });
  const { policies } = settings;
  const bare = buildUki({
    stub: programs.stub.bytes,
    osRelease: await files.read(components.osReleasePath),
    commandLine,
    kernelRelease: components.kernelRelease,
    kernel: programs.kernel,
    initramfs,
    sbat: settings.sbat,
    ...(policies === undefined ? {} : { pcrPublicKey: policyKeyPem(policies.publicKey) }),
  });
  const unsigned =
    policies?.signer === undefined ? bare : await withSignedPolicies(bare, policies.signer, policies.phasePaths);
  const uki = settings.signer ? await signProgram(unsigned, "the UKI", settings.signer) : unsigned;
  if (settings.signer !== undefined) await verifyBootProgram(uki, "the UKI", databases);
  const ukiPath = sealedUkiPath(components.kernelRelease);
  const members = addedLayerMembers(root, { added: [...added, { path: ukiPath, bytes: uki }], removed }, timeSeconds);
  const initramfsSizeBytes = initramfs.length;
  return {
    images,
    commandLine,
    kernelRelease: components.kernelRelease,
    loader: programs.loader,
    stub: programs.stub,
    uki,
    ukiPath,
    initramfsSizeBytes,
    unsigned: await unsignedPrograms(files, architecture, { path: ukiPath, bytes: uki }, signedLoader),
    members,
  };
}

/** What firmware would refuse of the sealed image. */
async function unsignedPrograms(
  files: ImageFiles,
  architecture: Architecture,
  uki: { readonly path: string; readonly bytes: Uint8Array },
  signedLoader: Uint8Array | undefined,
): Promise<readonly ImageProgram[]> {
  const programs = await imagePrograms(files, architecture.efi, uki);
  return programs
    .map((program) =>
      program.kind === "loader" && signedLoader !== undefined ? { ...program, bytes: signedLoader } : program,
    )
    .filter(({ bytes }) => !isSigned(bytes));
}

/** The images that the UKI names and the objects they need, of a tree that lives no longer than this. */
function identify(
  { repository, root }: Pick<UnpackedImage, "repository" | "root">,
  members: readonly TarMember[],
  { form, verityOptional }: Pick<SealSettings, "form" | "verityOptional">,
): { readonly images: SealParts["images"]; readonly objectIds: readonly string[] } {
  const sealed = cloneTree(root);
  applyMembers(sealed, members);
  const images = imagesToName(form, verityOptional, bootImageIds(repository, sealed));
  return { images, objectIds: [...objectIdsOf(sealed)] };
}

/** The objects that hold the files of a tree, in any order. */
function* objectIdsOf(root: DirectoryNode): Generator<string, void, undefined> {
  for (const { entries } of allDirectories(root)) {
    for (const node of entries.values()) {
      if (node.kind !== "file" || node.content.type !== "external") continue;
      if (node.content.objectId !== undefined) yield node.content.objectId;
    }
  }
}

/** The loader for the firmware: given signed, or the image's own, signed here; undefined without a signer. */
async function makeSignedLoader(programs: BootPrograms, settings: SealSettings): Promise<Uint8Array | undefined> {
  if (settings.loader?.type === "file") return settings.loader.bytes;
  return settings.signer && signProgram(programs.loader.bytes, "the boot loader", settings.signer);
}

function enrolmentFiles(enrolment: EnrolmentFiles | undefined): EnrolmentFile[] {
  return Object.entries(enrolment ?? {}).map(([name, bytes]) => ({
    folder: ENROLLED_WHERE_SAFE,
    name: `${name}.auth`,
    bytes,
  }));
}

/** All enrolment files that the sealed image will have. */
function enrolledFiles(files: TreeFiles, enrolment: EnrolmentFiles | undefined): EnrolmentFile[] {
  const added = enrolmentFiles(enrolment);
  const isReplaced = ({ folder, name }: EnrolmentFile) =>
    added.some((file) => file.folder === folder && file.name === name);
  return [...findEnrolmentFiles(files).filter((file) => !isReplaced(file)), ...added];
}
