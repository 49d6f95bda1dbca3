/** Recording one image in a repository: its layers, its root file system's images, its documents; not yet a tag. */
import { SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep } from "../../events/index.ts";
import type { OpenedImage } from "../../images/index.ts";
import { type ErofsVersion, type Repository, storeTreeImage } from "../../repository/index.ts";
import type { BootRule, DirectoryNode } from "../../tree/index.ts";
import {
  type LayeredConfig,
  readStoredConfig,
  type StoredConfig,
  storeConfig,
  storeManifest,
} from "../stored-image.ts";
import { configStreamName, imageKey, isBootImageKey, manifestStreamName } from "../stream-names.ts";
import { type BootImage, bootImages, bootLayouts, type RecordedBootImage } from "../tree/boot-images.ts";
import { imageTree } from "../tree/image-tree.ts";
import { type LayerStatistics, noStatistics, type PulledLayers, pullLayers } from "./pull-layers.ts";
import { findUnchanged } from "./unchanged-image.ts";

/**
 * Picks the boot images that are recorded, out of all that can be made, and tells them to store themselves.
 *
 * @param root the image's tree with `/boot` from the layers; it changes when the first candidate is made
 * @param candidates from {@link bootImages}; they are made on demand
 */
export type BootImageChooser = (
  root: DirectoryNode,
  candidates: AsyncIterable<BootImage>,
) => Promise<readonly RecordedBootImage[]>;

export interface RecordOptions {
  /** The boot variants to make. Those of an earlier pull stay recorded. */
  readonly bootVariants: readonly BootRule[];
  /** False: not the image that is mounted as it is, which takes as long to make as a boot image. */
  readonly plainImage?: boolean | undefined;
  /** Instead of variants, the boot images to record. */
  readonly chooseBootImages?: BootImageChooser | undefined;
  /** Trust nothing of the existing image: complete its layers and make its boot variants again. */
  readonly restore: boolean;
  /** A layer may unpack to this much; by default to a multiple of its blob. */
  readonly layerLimitBytes?: number | undefined;
  /** As in PullOptions. */
  readonly linkFiles?: boolean | undefined;
  readonly events: EventSink;
}

export interface RecordedImage {
  /** Object id of the manifest's stream. */
  readonly manifestStreamId: string;
  /** EROFS version to image id, for each version of the repository; empty for an artifact. */
  readonly imageIds: ReadonlyMap<ErofsVersion, string>;
  /** Of the last of the boot variants. */
  readonly bootImageIds: ReadonlyMap<ErofsVersion, string>;
  /** What was chosen instead of variants. */
  readonly chosenBootImages: readonly RecordedBootImage[];
  readonly statistics: LayerStatistics;
}

/**
 * Fetches what the repository lacks of the image. The names come last: first the layers, each when proven right, then
 * images, configuration and manifest at once. Without a tag, gc collects all of it.
 *
 * @throws SealrootError as pullLayers and imageTree
 */
export async function recordImage(
  repository: Repository,
  image: OpenedImage,
  options: RecordOptions,
): Promise<RecordedImage> {
  const { events, restore, layerLimitBytes, linkFiles } = options;
  const before = await knownConfig(repository, image, restore);
  // Which images are chosen is known only once they are made.
  if (!restore && options.chooseBootImages === undefined) {
    const unchanged = await findUnchanged(repository, image, before, options.bootVariants);
    if (unchanged !== undefined) return { ...unchanged, chosenBootImages: [], statistics: noStatistics() };
  }
  const pulled = await pullLayers(repository, image, {
    known: before,
    complete: restore,
    layerLimitBytes,
    linkFiles,
    events,
  });
  // What follows runs in this thread alone and takes the most memory.
  await repository.restWorkers();
  const made = await makeImages(repository, image, { ...options, ...pulled, before });
  const manifestStreamId = await runStep(events, "record image", () => recordDocuments(repository, image, made));
  return {
    manifestStreamId,
    imageIds: made.plain,
    bootImageIds: made.boot,
    chosenBootImages: options.chooseBootImages === undefined ? [] : made.allBoot,
    statistics: pulled.statistics,
  };
}

/** The configuration as left by an earlier pull; an unreadable one counts as absent when it is to be restored. */
async function knownConfig(
  repository: Repository,
  image: OpenedImage,
  restore: boolean,
): Promise<StoredConfig | undefined> {
  try {
    return await readStoredConfig(repository, image.manifest.config.digest, image.config !== undefined);
  } catch (error) {
    if (restore && error instanceof SealrootError) return undefined;
    throw error;
  }
}

/** A configuration ready to be stored, and the ids of the images made now. */
interface PreparedConfig extends Pick<StoredConfig, "digest" | "bytes" | "config" | "layers" | "images"> {
  readonly plain: ReadonlyMap<ErofsVersion, string>;
  readonly boot: ReadonlyMap<ErofsVersion, string>;
  /** All boot images made now. */
  readonly allBoot: readonly RecordedBootImage[];
}

interface MakeOptions extends RecordOptions {
  readonly before: StoredConfig | undefined;
  readonly layers: PulledLayers["layers"];
  readonly entries: PulledLayers["entries"];
}

async function makeImages(repository: Repository, image: OpenedImage, options: MakeOptions): Promise<PreparedConfig> {
  const { before, layers, entries } = options;
  const config = {
    digest: image.manifest.config.digest,
    bytes: image.configBytes,
    config: image.config,
    layers,
    manifest: image.manifest,
  };
  const withPlain = options.plainImage !== false;
  const makesNone = !withPlain && options.bootVariants.length === 0 && options.chooseBootImages === undefined;
  if (image.config === undefined || makesNone)
    return { ...config, images: new Map(before?.images), plain: new Map(), boot: new Map(), allBoot: [] };
  return runStep(options.events, "make root file system image", async () => {
    // Boot images of an earlier pull stay recorded (spec/oci.md 2).
    const images = new Map(before?.images);
    const root = await imageTree(repository, config, { bootable: false, keepUserXattrs: false }, entries);
    const plain = withPlain ? storeImages(repository, root) : new Map<ErofsVersion, string>();
    for (const [version, id] of plain) {
      images.set(imageKey({ version, bootable: false, keepUserXattrs: false }), id);
    }
    const allBoot = await makeBootImages(repository, config, root, options);
    for (const image of allBoot) images.set(imageKey({ ...image, bootable: true }), image.id);
    const last = options.bootVariants.at(-1);
    const boot = new Map(
      allBoot.filter((image) => last && sameRule(image, last)).map(({ version, id }) => [version, id]),
    );
    return { ...config, images: inFixedOrder(images), plain, boot, allBoot };
  });
}

/** Whichever pull made which image, the same images give the same stream. */
function inFixedOrder(images: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const isBoot = (key: string) => Number(key.includes(".boot"));
  return new Map([...images].sort(([a], [b]) => isBoot(a) - isBoot(b) || (a < b ? -1 : 1)));
}

/** Makes and stores the requested boot images. */
async function makeBootImages(
  repository: Repository,
  config: LayeredConfig,
  root: DirectoryNode,
  options: MakeOptions,
): Promise<RecordedBootImage[]> {
  const { bootVariants, chooseBootImages, restore, before } = options;
  if (restore) {
    const known = before === undefined ? undefined : bootImageIds(before);
    return restoredBootImages(repository, config, root, known);
  }
  if (chooseBootImages !== undefined) {
    return [...(await chooseBootImages(root, bootImages(repository, config, root)))];
  }
  const versions = [repository.formats.default, ...repository.formats.extra];
  const isAsked = (candidate: BootRule & { readonly version: ErofsVersion }) =>
    versions.includes(candidate.version) && bootVariants.some((variant) => sameRule(variant, candidate));
  const made: RecordedBootImage[] = [];
  for await (const { layout, ...rule } of bootLayouts(repository, config, isAsked, root)) {
    made.push({ ...rule, id: repository.objects.ensurePieces(layout.pieces()) });
  }
  return made;
}

function sameRule(a: BootRule, b: BootRule): boolean {
  return a.keepUserXattrs === b.keepUserXattrs && a.bootTimes === b.bootTimes;
}

function bootImageIds({ images }: StoredConfig): Set<string> {
  return new Set([...images].filter(([key]) => isBootImageKey(key)).map(([, id]) => id));
}

/**
 * The boot images of an earlier pull: those that its configuration named, by whatever rule; if that cannot be read,
 * those on the list of images.
 */
async function restoredBootImages(
  repository: Repository,
  config: LayeredConfig,
  root: DirectoryNode,
  known: ReadonlySet<string> | undefined,
): Promise<RecordedBootImage[]> {
  const found = new Map<string, RecordedBootImage>();
  if (known?.size === 0) return [];
  try {
    for await (const image of bootImages(repository, config, root)) {
      const isWanted = known?.has(image.id) ?? repository.images.find(image.id) !== undefined;
      // By two rules it may be one image: the ordinary one, which comes first, is taken.
      if (isWanted && !found.has(image.id)) found.set(image.id, image.store());
      if (found.size === known?.size) break;
    }
  } catch (error) {
    // An image that cannot be made bootable has no boot variant.
    if (!(error instanceof SealrootError) || error.code !== "unsupported") throw error;
  }
  return [...found.values()];
}

/** Stores the tree's image in every version of the repository. */
function storeImages(repository: Repository, root: DirectoryNode): Map<ErofsVersion, string> {
  const versions = [repository.formats.default, ...repository.formats.extra];
  return new Map(versions.map((version) => [version, storeTreeImage(repository, root, version)]));
}

/** Gives images, configuration and manifest their names. */
async function recordDocuments(repository: Repository, image: OpenedImage, config: PreparedConfig): Promise<string> {
  const { manifest, manifestBytes, descriptor } = image;
  const streamId = await storeConfig(repository, config);
  const manifestStreamId = await storeManifest(repository, {
    manifest,
    manifestBytes,
    streamId,
    layers: config.layers,
  });
  const imageIds = [...config.plain.values(), ...config.allBoot.map(({ id }) => id)];
  repository.images.register(imageIds.map((objectId) => ({ entry: objectId, objectId })));
  repository.streams.register([
    { entry: configStreamName(config.digest), objectId: streamId },
    { entry: manifestStreamName(descriptor.digest), objectId: manifestStreamId },
  ]);
  return manifestStreamId;
}
