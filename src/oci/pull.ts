/** Pulling an image into a repository (spec/oci.md 2). */
import { type EventSink, runStep, silent } from "../events/index.ts";
import { type ErofsVersion, imageOfTree, type Repository } from "../repository/index.ts";
import type { DirectoryNode } from "../tree/index.ts";
import { imageTree, makeBootable } from "./image-tree.ts";
import { type LayerStatistics, pullLayers } from "./pull-layers.ts";
import { parseReference } from "./reference.ts";
import { type OpenedImage, openImage } from "./source.ts";
import { readStoredConfig, type StoredConfig, storeConfig, storeManifest } from "./stored-image.ts";
import { configStreamName, imageKey, manifestStreamName, TAG_DIRECTORY } from "./stream-names.ts";
import { encodeTag } from "./tag-names.ts";

export interface PullOptions {
  /** The tag it gets in the repository; the reference itself when absent, as with the reference tool. */
  readonly name?: string;
  /** Also make the variant that is booted. */
  readonly bootable?: boolean;
  /** Keep `user.*` attributes in the boot variant. */
  readonly keepUserXattrs?: boolean;
  readonly events?: EventSink;
}

export interface PulledImage {
  readonly manifestDigest: string;
  readonly configDigest: string;
  /** Object id of the manifest's stream. */
  readonly manifestStreamId: string;
  readonly name: string;
  /** EROFS version to image id, for each version of the repository; empty for an artifact. */
  readonly imageIds: ReadonlyMap<ErofsVersion, string>;
  readonly bootImageIds: ReadonlyMap<ErofsVersion, string>;
  readonly statistics: LayerStatistics;
}

/**
 * Brings an image into the repository and tags it.
 *
 * Every blob's digest and every diff id is checked while it streams, and the names come last: first the layers, each
 * when it has proved right, then in one go images, configuration and manifest, then the tag. What an interrupted pull
 * leaves behind is found by the next one or collected by gc.
 *
 * @param reference such as `oci:DIRECTORY:TAG`
 * @throws SealrootError as openImage, pullLayers and imageTree
 */
export async function pullImage(
  repository: Repository,
  reference: string,
  options: PullOptions = {},
): Promise<PulledImage> {
  const name = options.name ?? reference;
  const tag = encodeTag(name);
  const events = options.events ?? silent;
  repository.assertWritable();
  const image = await runStep(events, "read image", () => openImage(parseReference(reference)));
  try {
    const { layers, statistics } = await pullLayers(repository, image, events);
    const stored = await imagesOf(repository, image, layers, options, events);
    const manifestStreamId = await runStep(events, "record image", () => record(repository, image, stored, tag));
    return {
      manifestDigest: image.descriptor.digest,
      configDigest: image.manifest.config.digest,
      manifestStreamId,
      name,
      imageIds: stored.plain,
      bootImageIds: stored.boot,
      statistics,
    };
  } finally {
    await image.close();
  }
}

/** A configuration ready to be stored, and the ids of the images made in this pull. */
interface PreparedConfig extends Pick<StoredConfig, "digest" | "bytes" | "config" | "layers" | "images"> {
  readonly plain: ReadonlyMap<ErofsVersion, string>;
  readonly boot: ReadonlyMap<ErofsVersion, string>;
}

async function imagesOf(
  repository: Repository,
  image: OpenedImage,
  layers: ReadonlyMap<string, string>,
  options: PullOptions,
  events: EventSink,
): Promise<PreparedConfig> {
  const { digest } = image.manifest.config;
  const before = await readStoredConfig(repository, digest, image.config !== undefined);
  const config = { digest, bytes: image.configBytes, config: image.config, layers };
  if (image.config === undefined) return { ...config, images: new Map(), plain: new Map(), boot: new Map() };
  const keepUserXattrs = options.keepUserXattrs ?? false;
  return runStep(events, "make root file system image", async () => {
    // Boot images of an earlier pull stay known (spec/oci.md 2).
    const images = new Map(before?.images);
    const make = (root: DirectoryNode, bootable: boolean) => {
      const made = makeImages(repository, root);
      for (const [version, id] of made) {
        images.set(imageKey({ version, bootable, keepUserXattrs: bootable && keepUserXattrs }), id);
      }
      return made;
    };
    const root = await imageTree(repository, config, { bootable: false, keepUserXattrs: false });
    const plain = make(root, false);
    if (options.bootable !== true) return { ...config, images, plain, boot: new Map() };
    if (keepUserXattrs) {
      const kept = await imageTree(repository, config, { bootable: true, keepUserXattrs });
      return { ...config, images, plain, boot: make(kept, true) };
    }
    makeBootable(repository, root);
    return { ...config, images, plain, boot: make(root, true) };
  });
}

/** Stores the tree's image in every version of the repository. */
function makeImages(repository: Repository, root: DirectoryNode): Map<ErofsVersion, string> {
  const versions = [repository.formats.default, ...repository.formats.extra];
  return new Map(
    versions.map((version) => [version, repository.objects.ensure(imageOfTree(root, repository.algorithm, version))]),
  );
}

/** Gives everything its name, the tag last. */
async function record(
  repository: Repository,
  image: OpenedImage,
  config: PreparedConfig,
  tag: string,
): Promise<string> {
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
  repository.streams.setReference(`${TAG_DIRECTORY}/${tag}`, manifestStreamName(descriptor.digest));
  return manifestStreamId;
}
