/** One image on its way into a repository: its layers, its root file system's images, its documents; not yet a tag. */
import { SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep } from "../../events/index.ts";
import { type ErofsVersion, imageOfTree, type Repository } from "../../repository/index.ts";
import type { DirectoryNode } from "../../tree/index.ts";
import { verityDigest } from "../../verity/index.ts";
import type { OpenedImage } from "../sources/open-image.ts";
import { imageTree, makeBootable } from "../stored/image-tree.ts";
import { readStoredConfig, type StoredConfig, storeConfig, storeManifest } from "../stored/stored-image.ts";
import { configStreamName, imageKey, manifestStreamName } from "../stored/stream-names.ts";
import { type LayerStatistics, noStatistics, type PulledLayers, pullLayers } from "./pull-layers.ts";
import { findUnchanged } from "./unchanged-image.ts";

/** What a boot variant keeps of `user.*` attributes. */
export interface BootVariant {
  readonly keepUserXattrs: boolean;
}

/** The ordinary one last: it is made by changing the plain tree. */
const BOOT_VARIANTS: readonly BootVariant[] = [{ keepUserXattrs: true }, { keepUserXattrs: false }];

export interface RecordOptions {
  /** The boot variants to make. Those that an earlier pull made stay known. */
  readonly bootVariants: readonly BootVariant[];
  /** Trust nothing of the image that is there: complete its layers and make its boot variants again. */
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
  readonly bootImageIds: ReadonlyMap<ErofsVersion, string>;
  readonly statistics: LayerStatistics;
}

/**
 * Fetches what the repository does not have of the image. The names come last: first the layers, each when it has proved
 * right, then in one go images, configuration and manifest. Without a tag, gc collects all of it.
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
  if (!restore) {
    const unchanged = await findUnchanged(repository, image, before, options.bootVariants);
    if (unchanged !== undefined) return { ...unchanged, statistics: noStatistics() };
  }
  const pulled = await pullLayers(repository, image, {
    known: before,
    complete: restore,
    layerLimitBytes,
    linkFiles,
    events,
  });
  // What follows is this thread's alone and takes the most memory.
  await repository.restWorkers();
  const made = await makeImages(repository, image, { ...options, ...pulled, before });
  const manifestStreamId = await runStep(events, "record image", () => recordDocuments(repository, image, made));
  return { manifestStreamId, imageIds: made.plain, bootImageIds: made.boot, statistics: pulled.statistics };
}

/** The configuration as an earlier pull left it; one that cannot be read counts as absent when it shall be restored. */
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
}

interface MakeOptions extends RecordOptions {
  readonly before: StoredConfig | undefined;
  readonly layers: PulledLayers["layers"];
  readonly entries: PulledLayers["entries"];
}

async function makeImages(repository: Repository, image: OpenedImage, options: MakeOptions): Promise<PreparedConfig> {
  const { before, layers, entries } = options;
  const config = { digest: image.manifest.config.digest, bytes: image.configBytes, config: image.config, layers };
  if (image.config === undefined) return { ...config, images: new Map(), plain: new Map(), boot: new Map() };
  return runStep(options.events, "make root file system image", async () => {
    // Boot images of an earlier pull stay known (spec/oci.md 2).
    const images = new Map(before?.images);
    const make = (root: DirectoryNode, bootable: boolean, keepUserXattrs: boolean) => {
      const made = storeImages(repository, root);
      for (const [version, id] of made) images.set(imageKey({ version, bootable, keepUserXattrs }), id);
      return made;
    };
    const root = await imageTree(repository, config, { bootable: false, keepUserXattrs: false }, entries);
    const plain = make(root, false, false);
    let boot: ReadonlyMap<ErofsVersion, string> = new Map();
    for (const { keepUserXattrs } of await variantsToMake(repository, config, options)) {
      if (keepUserXattrs) {
        boot = make(await imageTree(repository, config, { bootable: true, keepUserXattrs }), true, true);
      } else {
        makeBootable(repository, root);
        boot = make(root, true, false);
      }
    }
    return { ...config, images: inFixedOrder(images), plain, boot };
  });
}

/** Whichever pull made which image: the same images give the same stream. */
function inFixedOrder(images: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const isBoot = (key: string) => Number(key.includes(".boot"));
  return new Map([...images].sort(([a], [b]) => isBoot(a) - isBoot(b) || (a < b ? -1 : 1)));
}

async function variantsToMake(
  repository: Repository,
  config: Pick<StoredConfig, "digest" | "config" | "layers">,
  { before, bootVariants, restore }: MakeOptions,
): Promise<readonly BootVariant[]> {
  if (!restore) return bootVariants;
  if (before === undefined) return listedVariants(repository, config);
  return BOOT_VARIANTS.filter(({ keepUserXattrs }) => {
    const keys = ([0, 1, 2] as const).map((version) => imageKey({ version, bootable: true, keepUserXattrs }));
    return keys.some((key) => before.images.has(key));
  });
}

/** When no configuration says which there were: those on the list of images, found by making them. */
async function listedVariants(
  repository: Repository,
  config: Pick<StoredConfig, "digest" | "config" | "layers">,
): Promise<readonly BootVariant[]> {
  const { algorithm, formats } = repository;
  const listed = new Map<string, BootVariant>();
  for (const variant of BOOT_VARIANTS) {
    try {
      const root = await imageTree(repository, config, { bootable: true, ...variant });
      const imageId = verityDigest(imageOfTree(root, algorithm, formats.default), algorithm);
      // Without such attributes both are one image: the ordinary variant, which comes last, is taken.
      if (repository.images.find(imageId) !== undefined) listed.set(imageId, variant);
    } catch (error) {
      // An image that cannot be made bootable has no boot variant.
      if (!(error instanceof SealrootError) || error.code !== "unsupported") throw error;
    }
  }
  return [...listed.values()];
}

/** Stores the tree's image in every version of the repository. */
function storeImages(repository: Repository, root: DirectoryNode): Map<ErofsVersion, string> {
  const versions = [repository.formats.default, ...repository.formats.extra];
  return new Map(
    versions.map((version) => [version, repository.objects.ensure(imageOfTree(root, repository.algorithm, version))]),
  );
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
  const imageIds = [...config.plain.values(), ...config.boot.values()];
  repository.images.register(imageIds.map((objectId) => ({ entry: objectId, objectId })));
  repository.streams.register([
    { entry: configStreamName(config.digest), objectId: streamId },
    { entry: manifestStreamName(descriptor.digest), objectId: manifestStreamId },
  ]);
  return manifestStreamId;
}
