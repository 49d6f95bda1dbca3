/** Puts what was signed elsewhere into the image it was made for. */
import { CommandLine, checkCommandLine, findComposefsArguments, SEALED_LINE_KEYS } from "../bls/index.ts";
import { ADDON_SUFFIX, findEnrolmentFiles, UKI_FOLDER } from "../bootimage/index.ts";
import { type ByteString, displayText } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep, type StepReporter, silent } from "../events/index.ts";
import { type OpenedImage, type OpenImageOptions, openImage } from "../images/index.ts";
import {
  databasesOf,
  isSigned,
  type KeyUse,
  type SealKind,
  type SignatureDatabases,
  verifyBootProgram,
} from "../keys/index.ts";
import { type Descriptor, type ImageConfig, type ImageReference, layerCompression, OciLayout } from "../oci/index.ts";
import { readUki } from "../pe/index.ts";
import { type TarBody, type TarEntry, type TarMember, TarParser } from "../tar/index.ts";
import { decompress } from "../zstd/index.ts";
import { addedLayerMembers, withFiles } from "./added-layer.ts";
import { type ImageProgram, imagePrograms, programText } from "./image-programs.ts";
import { type OutputLayout, writtenTo } from "./output.ts";
import { takeSignedPolicies } from "./pcr-policies.ts";
import { matchReturned, type ReturnedFile, type SignedProgram } from "./returned-signatures.ts";
import { type UnpackedImage, unpackImage } from "./unpack-image.ts";
import { SEALED_BY, type WrittenImage, writeChangedImage } from "./write-image.ts";

/** The added layer holds a UKI, a boot loader and three small files; seal did not write more. */
const ADDED_LAYER_MAX_BYTES = 512 * 1024 * 1024;

/** The attached file's name in errors. */
const SIGNED_UKI = "the signed UKI";

/** The UKI of a sealed image and the layer it is in. */
interface SealedLayer {
  readonly members: readonly TarMember[];
  readonly ukiMember: TarMember;
  readonly uki: Uint8Array;
}

/**
 * The UKI of a sealed image, signed or not, as the one file to be signed.
 * @throws SealrootError `unsupported` when the image is not sealed
 */
export async function readSealedUki(image: OpenedImage): Promise<Uint8Array> {
  return (await readAddedLayer(image)).uki;
}

export interface AttachOptions extends Pick<OpenImageOptions, "policy" | "registry"> {
  /** Whose signature is required; the image's own enrolment files are always checked. */
  readonly database?: SignatureDatabases | undefined;
  /** Whose bare signatures are taken, DER. */
  readonly certificateDer?: Uint8Array | undefined;
  /** Claims the signer's key for the kind of image that the UKI is for. */
  readonly claimKey?: ((kind: SealKind) => KeyUse) | undefined;
  /** Is given what is still not signed, once the image is written; what it throws is the failure of all. */
  readonly handOut?: ((programs: readonly ImageProgram[], report: AttachReport) => Promise<void>) | undefined;
  readonly events?: EventSink | undefined;
}

export interface AttachReport extends WrittenImage {
  /** Where the image has what was signed, in the order of {@link imagePrograms}. */
  readonly attached: readonly string[];
}

/**
 * Writes the image with what was signed elsewhere. UKI, add-ons and this boot loader are below /boot, which is outside the
 * sealed image id, so nothing else changes.
 *
 * @param returned signed programs, signature messages, signed policies or bare signatures, in any order
 * @throws SealrootError as matchReturned and takeSignedPolicies; `conflict` when the signer's key is used for another kind of images; as
 *   verifyBootProgram when the firmware of a machine with the image's keys, or the required ones, would refuse one of them
 */
export async function attachSigned(
  source: ImageReference,
  returned: readonly ReturnedFile[],
  target: ImageReference,
  options: AttachOptions = {},
): Promise<AttachReport> {
  const { registry, events = silent } = options;
  return writtenTo(target, { source, registry, events }, async (layout) => {
    const { unsigned, ...report } = await attachInto(layout, source, returned, options);
    await options.handOut?.(unsigned, report);
    return report;
  });
}

async function attachInto(
  output: OutputLayout,
  reference: ImageReference,
  returned: readonly ReturnedFile[],
  options: AttachOptions,
): Promise<AttachReport & Pick<CheckedMembers, "unsigned">> {
  const { events = silent } = options;
  const opened = await openImage(reference, options);
  try {
    const layer = await readAddedLayer(opened);
    const look = (image: UnpackedImage) =>
      runStep(events, "check the signatures", (reporter) => checkedMembers(image, layer, returned, options, reporter));
    return await unpackImage(
      opened,
      { source: reference, events },
      look,
      async ({ source }, { members, ...checked }) => {
        const layout = await OciLayout.create(output.path);
        const created = new Date(source.config.created ?? 0);
        const written = await writeChangedImage(withoutLastLayer(source, source.config), members, layout, output.tag, {
          createdBy: SEALED_BY,
          created,
        });
        return { ...written, ...checked };
      },
    );
  } finally {
    await opened.close();
  }
}

interface CheckedMembers extends Pick<AttachReport, "attached"> {
  readonly members: TarMember[];
  /** What firmware would still refuse. */
  readonly unsigned: readonly ImageProgram[];
}

/** The image's last layer with what was signed, once nothing speaks against it. */
async function checkedMembers(
  { files, root }: UnpackedImage,
  layer: SealedLayer,
  returned: readonly ReturnedFile[],
  options: AttachOptions,
  reporter: Pick<StepReporter, "warn">,
): Promise<CheckedMembers> {
  const { header } = layer.ukiMember;
  const policies = takeSignedPolicies(layer.uki, returned);
  const uki = { path: `/${displayText(header.path)}`, bytes: policies.uki };
  const { architecture } = readUki(layer.uki, "the UKI");
  const programs = await imagePrograms(files, architecture, uki);
  const signed = await matchReturned(programs, policies.others, options.certificateDer);
  const enrolled = databasesOf(findEnrolmentFiles(files));
  for (const program of programs) {
    const found = signed.find(({ path }) => path === program.path);
    if (found === undefined) await checkOther(program, enrolled, reporter);
    else await checkSigned(found, [...(options.database === undefined ? [] : [options.database]), ...enrolled]);
  }
  if (signed.length > 0) options.claimKey?.(kindOf(layer.uki)).record(reporter.warn);
  const isAdded = (path: string) => signed.some((one) => one.path === path);
  const added = [
    ...signed.map(({ path, bytes }) => ({ path, bytes })),
    ...(policies.count > 0 && !isAdded(uki.path) ? [uki] : []),
  ];
  return {
    members: withFiles(layer.members, addedLayerMembers(root, { added, removed: [] }, header.mtimeSeconds)),
    attached: programs.filter(({ path }) => added.some((one) => one.path === path)).map(({ path }) => path),
    unsigned: programs.filter(({ path, bytes }) => !isAdded(path) && !isSigned(bytes)),
  };
}

async function checkSigned(program: SignedProgram, databases: readonly SignatureDatabases[]): Promise<void> {
  const what = program.kind === "uki" ? SIGNED_UKI : programText(program);
  if (program.kind === "uki") {
    const { architecture, commandLine = "" } = readUki(program.bytes, what);
    checkCommandLine(commandLine, {
      what: `the command line of ${what}`,
      decidedKeys: SEALED_LINE_KEYS,
      architecture,
    });
  }
  await verifyBootProgram(program.bytes, what, databases);
}

/** What is not attached now: a machine with the image's keys must start loader and UKI all the same. */
async function checkOther(
  program: ImageProgram,
  enrolled: readonly SignatureDatabases[],
  { warn }: Pick<StepReporter, "warn">,
): Promise<void> {
  const what = programText(program);
  if (!isSigned(program.bytes)) warn(`Firmware with Secure Boot will refuse ${what}: it is not signed`);
  else if (program.kind !== "addon" && enrolled.length > 0) await verifyBootProgram(program.bytes, what, enrolled);
}

function kindOf(uki: Uint8Array): SealKind {
  const composefs = findComposefsArguments(CommandLine.parse(readUki(uki, SIGNED_UKI).commandLine ?? ""));
  return composefs.some(({ verityOptional }) => verityOptional) ? "lenient" : "strict";
}

async function readAddedLayer(image: OpenedImage): Promise<SealedLayer> {
  const members = await readMembers(image, image.manifest.layers.at(-1));
  const prefix = `${UKI_FOLDER.slice(1)}/`;
  const isUki = (path: ByteString) => path.startsWith(prefix) && path.endsWith(".efi") && !path.endsWith(ADDON_SUFFIX);
  const ukiMember = members.find(({ header }) => isUki(header.path));
  const uki = ukiMember?.body;
  if (ukiMember === undefined || !(uki instanceof Uint8Array)) throw notSealed();
  return { members, ukiMember, uki };
}

async function readMembers(image: OpenedImage, layer: Descriptor | undefined): Promise<TarMember[]> {
  const compression = layer && layerCompression(layer.mediaType);
  if (layer === undefined || compression === undefined) return [];
  const members: TarMember[] = [];
  const parser = new TarParser(
    {
      inline: () => {},
      entry: (entry, body) => members.push(memberOf(entry, body)),
      body: () => {},
    },
    ADDED_LAYER_MAX_BYTES,
  );
  const tar = decompress(image.blobs.read(layer), compression, { maxOutputBytes: ADDED_LAYER_MAX_BYTES });
  for await (const chunk of tar) parser.push(chunk);
  parser.finish();
  return members;
}

function memberOf(entry: TarEntry, body: TarBody): TarMember {
  const { kind, linkPath, device, ...header } = entry;
  if (kind === "unknown") throw notSealed();
  return {
    header: {
      ...header,
      kind,
      ...(linkPath !== undefined && { linkPath }),
      ...(device !== undefined && { device }),
    },
    ...(kind === "file" && body.type === "inline" && { body: body.bytes }),
  };
}

/** The input before the added layer, for writing the layer again. */
function withoutLastLayer(image: OpenedImage, config: ImageConfig): OpenedImage & { readonly config: ImageConfig } {
  return {
    ...image,
    manifest: { ...image.manifest, layers: image.manifest.layers.slice(0, -1) },
    config: {
      ...config,
      rootfs: { ...config.rootfs, diff_ids: config.rootfs.diff_ids.slice(0, -1) },
      ...(config.history && { history: config.history.slice(0, -1) }),
    },
  };
}

function notSealed(): SealrootError {
  return new SealrootError("unsupported", "Cannot attach a signature: the image's last layer has no UKI", {
    hint: "give the image that `sealroot seal --unsigned` wrote",
  });
}
