/** Seals an OCI image: from a reference to a reference, in named steps. */
import { CommandLine, type ComposefsArgument, findComposefsArguments } from "../bls/index.ts";
import { sealableArchitecture } from "../bootimage/index.ts";
import type { Signer } from "../cms/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import { type OpenedImage, openImage } from "../images/index.ts";
import { type BootImage, namedBootImages, pullImage, type RecordedBootImage } from "../imagestore/index.ts";
import type { EnrolmentFiles, KeyUse, ProgramSigner } from "../keys/index.ts";
import { formatReference, type ImageConfig, type ImageReference, OciLayout, platformOf } from "../oci/index.ts";
import { ACCEPT_ANYTHING, type PolicyChoice } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";
import type { Repository } from "../repository/index.ts";
import { policyKeyFingerprint } from "../tpm/index.ts";
import type { PinnedProgram, SystemdProgram } from "./boot-programs.ts";
import { checkState } from "./check-state.ts";
import { sealedCommandLine } from "./command-line.ts";
import type { ImageProgram } from "./image-programs.ts";
import { checkDiskModules, type GivenProgram, type InitramfsCarrier, makeInitramfs } from "./initramfs/index.ts";
import { type OutputLayout, outputName, refuseSameImage, writtenTo } from "./output.ts";
import { checkPhasePaths, type PcrPolicyChoice } from "./pcr-policies.ts";
import { makeSealParts, type SealParts } from "./seal-parts.ts";
import type { NamedImage, SealedForm } from "./sealed-forms.ts";
import { type StoredImage, type UnpackedImage, unpackImage } from "./unpack-image.ts";
import { imageTime, SEALED_BY, type WrittenImage, wasSealedLast, writeChangedImage } from "./write-image.ts";

export interface SealOptions {
  readonly source: ImageReference;
  /** Decides whether the source may be used; the machine's policy if absent. */
  readonly policy?: PolicyChoice | undefined;
  /** How to talk to the registries of source and output. */
  readonly registry?: RegistryOptions | undefined;
  /** Any place that images are written to; an OCI layout is made when it does not exist. */
  readonly output: ImageReference;
  /** Undefined leaves the UKI unsigned, to be signed elsewhere. */
  readonly signer: Signer | ProgramSigner | undefined;
  /** For which kind of image the signer's key is used; marked beside the key once something is signed. */
  readonly keyUse?: KeyUse | undefined;
  /**
   * A boot loader signed elsewhere, required for an unsigned seal that is to boot with Secure Boot; or the digest that
   * the image's loader must have.
   */
  readonly loader?: PinnedProgram | undefined;
  /** An EFI stub instead of the image's, or the digest that the image's must have. */
  readonly stub?: PinnedProgram | undefined;
  readonly enrolment: EnrolmentFiles | undefined;
  /** Policies for PCR 11 in the UKI; none if absent. */
  readonly policies?: PcrPolicyChoice | undefined;
  /** Texts for the UKI's section of SBAT (`checkSbatText`), in place of ukify's; none if absent. */
  readonly sbat?: readonly string[] | undefined;
  /** Is given what is not signed, once the image is written; what it throws is the seal's failure. */
  readonly handOut?: ((programs: readonly ImageProgram[], report: SealReport) => Promise<void>) | undefined;
  readonly initramfs: InitramfsCarrier;
  /** The QuickJS that runs the boot program, for an image that has none. */
  readonly interpreter?: GivenProgram | undefined;
  /** Modules that the root's disk needs besides the usual ones. */
  readonly diskModules?: readonly string[] | undefined;
  /** The kernel to seal, of an image that has several. */
  readonly kernelRelease?: string | undefined;
  readonly rootUuid?: string | undefined;
  readonly allowMissingVerity: boolean;
  /** Which images the command line names; `bare` if absent. */
  readonly form?: SealedForm | undefined;
  readonly kernelArguments: readonly string[];
  /** Time of what is new in the image, whole seconds; the source image's own time if absent. */
  readonly created?: Date | undefined;
  /** Where the image is unpacked meanwhile; {@link largeFileDirectory} if absent. */
  readonly temporaryParent?: string | undefined;
  readonly events: EventSink;
}

/** A boot program by its version, and the SHA-256 of its file. */
export type ProgramReport = Pick<SystemdProgram, "version" | "sha256">;

export interface SealReport {
  readonly reference: string;
  readonly manifestDigest: string;
  /** The image id that the deployment is named after: hex fs-verity SHA-512 of the bootable EROFS image. */
  readonly imageId: string;
  /** All images that the command line names, that one first. */
  readonly images: readonly Pick<NamedImage, "id" | "version">[];
  readonly commandLine: string;
  readonly kernelRelease: string;
  /** The original boot loader and EFI stub: what `--loader sha256:…` and `--stub sha256:…` pin. */
  readonly loader: ProgramReport;
  readonly stub: ProgramReport;
  readonly ukiPath: string;
  readonly ukiSizeBytes: number;
  readonly initramfsSizeBytes: number;
  readonly addedLayerSizeBytes: number;
  readonly signed: boolean;
  /** The key of the policies for PCR 11 ({@link policyKeyFingerprint}, hex) and the phases of those signed; null without. */
  readonly policies: { readonly key: string; readonly signedPhases: readonly string[] } | null;
}

/**
 * Seals an image and checks the result by reading it back: the digest computed from the written image's layers must be
 * the one in its UKI.
 *
 * @throws SealrootError naming what the image lacks, or what could not be read or written; then nothing is left under
 *   the output's tag
 */
export async function sealImage(options: SealOptions): Promise<SealReport> {
  refuseSameImage(options.source, options.output, { action: "seal", form: "its sealed form" });
  checkArguments(options);
  return writtenTo(options.output, options, async (layout) => {
    const { unsigned, ...sealed } = await sealIntoLayout(layout, options);
    const report = { ...sealed, reference: outputName(options.output) };
    await options.handOut?.(unsigned, report);
    return report;
  });
}

/** Bad arguments are refused before anything is pulled. */
function checkArguments({ rootUuid, kernelArguments, policies, initramfs, diskModules }: SealOptions): void {
  checkPhasePaths(policies?.phasePaths ?? []);
  checkDiskModules(initramfs, diskModules);
  sealedCommandLine({
    images: [],
    rootUuid,
    imageArguments: [],
    userArguments: kernelArguments,
  });
}

/** What is reported, and what was not signed. */
type Sealed = Omit<SealReport, "reference"> & Pick<SealParts, "unsigned">;

async function sealIntoLayout(output: OutputLayout, options: SealOptions): Promise<Sealed> {
  const { policy, registry } = options;
  const opened = await openImage(options.source, { registry, ...(policy === undefined ? {} : { policy }) });
  try {
    if (wasSealedLast(opened.config)) throw sealedAlready(options.source);
    return await unpackImage(
      opened,
      options,
      (image) => makeParts(image, options),
      (image, parts) => writeSealed(image, parts, output, options),
    );
  } finally {
    await opened.close();
  }
}

function sealedAlready(source: ImageReference): SealrootError {
  return new SealrootError("conflict", `Cannot seal ${formatReference(source)}: it is already sealed`, {
    hint: "seal the image it was made from",
  });
}

async function makeParts(
  { source, repository, root, files, budget }: UnpackedImage,
  options: SealOptions,
): Promise<SealParts> {
  const created = options.created ?? imageTime(source.config);
  checkState(root);
  const architecture = sealableArchitecture(platformOf(source.config, source.manifest.config.digest).architecture);
  return await runStep(options.events, "make initramfs, digest and UKI", async (reporter) => {
    const made = await makeSealParts(
      { repository, root, files },
      {
        architecture,
        signer: options.signer,
        loader: options.loader,
        stub: options.stub,
        enrolment: options.enrolment,
        kernelRelease: options.kernelRelease,
        policies: options.policies,
        sbat: options.sbat ?? [],
        rootUuid: options.rootUuid,
        form: options.form ?? "bare",
        verityOptional: options.allowMissingVerity,
        userArguments: options.kernelArguments,
        importsCredentials: options.initramfs !== "extend",
        timeSeconds: BigInt(created.getTime() / 1000),
        warn: reporter.warn,
        buildInitramfs: (components, sealedRoot) =>
          makeInitramfs(options.initramfs, files, components, {
            sealedRoot,
            budget,
            interpreter: options.interpreter,
            diskModules: options.diskModules,
          }),
      },
    );
    options.keyUse?.record(reporter.warn);
    return made;
  });
}

async function writeSealed(
  { source, repository }: StoredImage,
  parts: SealParts,
  output: OutputLayout,
  options: SealOptions,
): Promise<Sealed> {
  const created = options.created ?? imageTime(source.config);
  const written = await writeAndCheck(repository, source, parts, output, created, options.events);
  return {
    manifestDigest: written.manifest.digest,
    imageId: parts.images[0].id,
    images: parts.images.map(({ id, version }) => ({ id, version })),
    commandLine: parts.commandLine,
    kernelRelease: parts.kernelRelease,
    loader: reportOf(parts.loader),
    stub: reportOf(parts.stub),
    ukiPath: parts.ukiPath,
    ukiSizeBytes: parts.uki.length,
    initramfsSizeBytes: parts.initramfsSizeBytes,
    addedLayerSizeBytes: written.layer.descriptor.size,
    signed: options.signer !== undefined,
    policies: policyReport(options.policies),
    unsigned: parts.unsigned,
  };
}

function policyReport(policies: PcrPolicyChoice | undefined): SealReport["policies"] {
  if (policies === undefined) return null;
  const signedPhases = policies.signer === undefined ? [] : policies.phasePaths;
  return { key: policyKeyFingerprint(policies.publicKey), signedPhases };
}

function reportOf({ version, sha256 }: SystemdProgram): ProgramReport {
  return { version, sha256 };
}

async function writeAndCheck(
  repository: Repository,
  source: OpenedImage & { readonly config: ImageConfig },
  parts: SealParts,
  output: OutputLayout,
  created: Date,
  events: EventSink,
): Promise<WrittenImage> {
  const written = await runStep(events, "write the sealed image", async () => {
    const layout = await OciLayout.create(output.path);
    return writeChangedImage(source, parts.members, layout, output.tag, { createdBy: SEALED_BY, created });
  });
  const wanted = findComposefsArguments(CommandLine.parse(parts.commandLine));
  await pullImage(repository, formatReference(output), {
    plainImage: false,
    chooseBootImages: (_, candidates) => sealedImages(wanted, candidates),
    policy: ACCEPT_ANYTHING,
    events,
  });
  return written;
}

/** The images that the UKI names, made from the written layers. */
async function sealedImages(
  wanted: readonly ComposefsArgument[],
  candidates: AsyncIterable<BootImage>,
): Promise<readonly RecordedBootImage[]> {
  try {
    return await namedBootImages(wanted, candidates);
  } catch (error) {
    if (!(error instanceof SealrootError) || error.code !== "conflict") throw error;
    const { expected, actual } = error.data;
    const what = "Cannot seal the image: the written image has another digest than its UKI";
    throw new SealrootError("corrupt", what, { ...(expected && { expected }), ...(actual && { actual }) }, error);
  }
}
