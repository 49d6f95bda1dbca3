/** Puts a UKI that was signed elsewhere back into the image it was taken from. */
import { SealrootError } from "../errors/index.ts";
import { silent } from "../events/index.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageReference,
  layerCompression,
  OciLayout,
  type OpenedImage,
  type OpenImageOptions,
  openImage,
} from "../oci/index.ts";
import { authenticodeDigest, parsePe, readSignatures, readUki } from "../pe/index.ts";
import { type TarBody, type TarEntry, type TarMember, TarParser } from "../tar/index.ts";
import { decompress } from "../zstd/index.ts";
import { UKI_FOLDER } from "./boot-components.ts";
import { type OutputLayout, writtenTo } from "./output.ts";
import { type WrittenImage, writeSealedImage } from "./write-image.ts";

/** The added layer holds a UKI, a boot loader and three small files; more is not what seal wrote. */
const ADDED_LAYER_MAX_BYTES = 512 * 1024 * 1024;

/** The UKI of a sealed image and the layer it is in. */
interface SealedLayer {
  readonly members: TarMember[];
  readonly ukiIndex: number;
  readonly uki: Uint8Array;
}

/**
 * The UKI of a sealed image, signed or not, as the one file to be signed.
 * @throws SealrootError `unsupported` when the image is not sealed
 */
export async function readSealedUki(image: OpenedImage): Promise<Uint8Array> {
  return (await readAddedLayer(image)).uki;
}

/**
 * Writes the image with the signed UKI in the place of the unsigned one. /boot is outside the sealed digest, so nothing
 * else changes.
 *
 * @throws SealrootError `conflict` when the signed file is another UKI than the image's, `untrusted` when it has no
 *   signature
 */
export async function attachUki(
  source: ImageReference,
  signed: Uint8Array,
  target: ImageReference,
  options: Pick<OpenImageOptions, "policy" | "registry"> = {},
): Promise<WrittenImage> {
  checkSigned(signed);
  return writtenTo(target, { source, registry: options.registry, events: silent }, (layout) =>
    attachInto(layout, source, signed, options),
  );
}

async function attachInto(
  output: OutputLayout,
  source: ImageReference,
  signed: Uint8Array,
  options: OpenImageOptions,
): Promise<WrittenImage> {
  const image = await openImage(source, options);
  try {
    const { config } = image;
    if (config === undefined) throw notSealed();
    const { members, ukiIndex, uki } = await readAddedLayer(image);
    checkSameUki(uki, signed);
    const unsigned = members[ukiIndex];
    if (unsigned === undefined) throw notSealed();
    members[ukiIndex] = { header: { ...unsigned.header, sizeBytes: signed.length }, body: signed };
    const layout = await OciLayout.create(output.path);
    const created = new Date(config.created ?? 0);
    return await writeSealedImage(withoutLastLayer(image, config), members, layout, output.tag, created);
  } finally {
    await image.close();
  }
}

/** What the file alone says: asked before the image is read. */
function checkSigned(signed: Uint8Array): void {
  if (readSignatures(parsePe(signed, "signed UKI")).length > 0) return;
  throw new SealrootError("untrusted", "Cannot attach the UKI: it is not signed", {
    hint: "sign the file that `sealroot seal attach --extract` wrote",
  });
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
  const ukiIndex = members.findIndex(({ header }) => header.path.startsWith(prefix) && header.path.endsWith(".efi"));
  const uki = members[ukiIndex]?.body;
  if (!(uki instanceof Uint8Array)) throw notSealed();
  return { members, ukiIndex, uki };
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

/** The input as it was before the added layer, for writing the layer again. */
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
