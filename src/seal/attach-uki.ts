/** Puts a UKI that was signed elsewhere back into the image it was taken from. */
import { CommandLine, checkCommandLine, findComposefsArguments, SEALED_LINE_KEYS } from "../bls/index.ts";
import { findEnrolmentFiles, findLoader, UKI_FOLDER } from "../bootimage/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep, silent } from "../events/index.ts";
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
import { authenticodeDigest, parsePe, readUki } from "../pe/index.ts";
import { type TarBody, type TarEntry, type TarMember, TarParser } from "../tar/index.ts";
import type { TreeFiles } from "../tree/index.ts";
import { decompress } from "../zstd/index.ts";
import { type OutputLayout, writtenTo } from "./output.ts";
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
  /** Claims the signer's key for the kind of image that the UKI is for. */
  readonly claimKey?: ((kind: SealKind) => KeyUse) | undefined;
  readonly events?: EventSink | undefined;
}

/**
 * Writes the image with the signed UKI in place of the unsigned one. /boot is outside the sealed image id, so nothing
 * else changes.
 *
 * @throws SealrootError `conflict` when the signed file is not the image's UKI, or signed by a key that is used for
 *   another kind of images; as verifyBootProgram when the firmware of a machine with the image's keys, or the required
 *   ones, would refuse UKI or boot loader
 */
export async function attachUki(
  source: ImageReference,
  signed: Uint8Array,
  target: ImageReference,
  options: AttachOptions = {},
): Promise<WrittenImage> {
  await checkFile(signed, options.database);
  const { registry, events = silent } = options;
  return writtenTo(target, { source, registry, events }, (layout) => attachInto(layout, source, signed, options));
}

async function attachInto(
  output: OutputLayout,
  reference: ImageReference,
  signed: Uint8Array,
  options: AttachOptions,
): Promise<WrittenImage> {
  const { events = silent } = options;
  const opened = await openImage(reference, options);
  try {
    const added = await readAddedLayer(opened);
    checkSameUki(added.uki, signed);
    const check = ({ files }: UnpackedImage) =>
      runStep(events, "check the signed UKI", async (reporter) => {
        await checkEnrolled(files, signed);
        options.claimKey?.(kindOf(signed)).record(reporter.warn);
      });
    return await unpackImage(opened, { source: reference, events }, check, async ({ source }) => {
      const members = withUki(added, signed);
      const layout = await OciLayout.create(output.path);
      const created = new Date(source.config.created ?? 0);
      return await writeChangedImage(withoutLastLayer(source, source.config), members, layout, output.tag, {
        createdBy: SEALED_BY,
        created,
      });
    });
  } finally {
    await opened.close();
  }
}

/** Checks of the file alone, before the image is read. */
async function checkFile(signed: Uint8Array, database: SignatureDatabases | undefined): Promise<void> {
  if (!isSigned(signed)) {
    throw new SealrootError("untrusted", "Cannot attach the UKI: it is not signed", {
      hint: "sign the file that `sealroot seal attach --extract` wrote",
    });
  }
  const { architecture, commandLine = "" } = readUki(signed, SIGNED_UKI);
  checkCommandLine(commandLine, {
    what: `the command line of ${SIGNED_UKI}`,
    decidedKeys: SEALED_LINE_KEYS,
    architecture,
  });
  await verifyBootProgram(signed, SIGNED_UKI, database === undefined ? [] : [database]);
}

/** Whether a machine with the keys that the image enrols will start it. */
async function checkEnrolled(files: TreeFiles, signed: Uint8Array): Promise<void> {
  const enrolled = databasesOf(findEnrolmentFiles(files));
  if (enrolled.length === 0) return;
  await verifyBootProgram(signed, SIGNED_UKI, enrolled);
  const loaderPath = findLoader(files, readUki(signed, SIGNED_UKI).architecture);
  if (loaderPath === undefined) return;
  await verifyBootProgram(files.read(loaderPath), `the boot loader ${loaderPath}`, enrolled);
}

function kindOf(signed: Uint8Array): SealKind {
  const composefs = findComposefsArguments(CommandLine.parse(readUki(signed, SIGNED_UKI).commandLine ?? ""));
  return composefs.some(({ verityOptional }) => verityOptional) ? "lenient" : "strict";
}

function checkSameUki(uki: Uint8Array, signed: Uint8Array): void {
  const expected = Buffer.from(authenticodeDigest(parsePe(uki, "UKI"))).toString("hex");
  const actual = Buffer.from(authenticodeDigest(parsePe(signed, "signed UKI"))).toString("hex");
  if (expected === actual) return;
  throw new SealrootError("conflict", "Cannot attach the UKI: it is not the one of the image", {
    expected: `Authenticode SHA-256 ${expected}, ${readUki(uki).commandLine}`,
    actual: `Authenticode SHA-256 ${actual}, ${readUki(signed).commandLine}`,
    hint: "sign the UKI of this very image",
  });
}

async function readAddedLayer(image: OpenedImage): Promise<SealedLayer> {
  const members = await readMembers(image, image.manifest.layers.at(-1));
  const prefix = `${UKI_FOLDER.slice(1)}/`;
  const ukiMember = members.find(({ header }) => header.path.startsWith(prefix) && header.path.endsWith(".efi"));
  const uki = ukiMember?.body;
  if (ukiMember === undefined || !(uki instanceof Uint8Array)) throw notSealed();
  return { members, ukiMember, uki };
}

/** The members with the signed UKI in place of the unsigned one. */
function withUki({ members, ukiMember }: SealedLayer, signed: Uint8Array): TarMember[] {
  const replaced = { header: { ...ukiMember.header, sizeBytes: signed.length }, body: signed };
  return members.map((member) => (member === ukiMember ? replaced : member));
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
  return new SealrootError("unsupported", "Cannot attach the UKI: the image's last layer has none", {
    hint: "give the image that `sealroot seal --unsigned` wrote",
  });
}
