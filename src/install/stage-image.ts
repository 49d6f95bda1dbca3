/** The repository of the new system, staged on the building host with verity metadata behind every object. */
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { findSealedUki } from "../bootimage/index.ts";
import { byteStringOfText } from "../bytes/index.ts";
import { type StateXattrs, stateXattrs } from "../deployment/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type EventSink, runStep, type StepReporter } from "../events/index.ts";
import { type OpenedImage, openImage } from "../images/index.ts";
import {
  describeBootImage,
  mergeLayers,
  namedBootImages,
  pullOpenedImage,
  type RecordedBootImage,
  readStoredImage,
  storedContents,
  storedLayers,
} from "../imagestore/index.ts";
import { parseReference, platformOf } from "../oci/index.ts";
import type { PolicyChoice } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";
import { initRepository, type Repository, type StagedEntry } from "../repository/index.ts";
import type { SelinuxPolicy } from "../selinux/index.ts";
import {
  type BootRule,
  composeBootTree,
  DEFAULT_BOOT_RULE,
  type DirectoryNode,
  readSelinuxPolicy,
  TreeFiles,
} from "../tree/index.ts";

export interface StageOptions {
  /** Skopeo-style reference. */
  readonly source: string;
  /** How to talk to its registry. */
  readonly registry: RegistryOptions | undefined;
  /** Existing directory for the repository. */
  readonly directory: string;
  /** Called with the sum of the compressed layers before anything is pulled; may refuse. */
  readonly checkSize: (layerBytes: number) => void;
  /** What decides whether the image may be installed; the machine's policy when absent. */
  readonly policy?: PolicyChoice;
  readonly events: EventSink;
}

/** A pulled image and its repository. */
export interface StagedImage {
  readonly manifestDigest: string;
  /** As the image's configuration says, such as `amd64`. */
  readonly architecture: string;
  /** fs-verity digest of the bootable EROFS image that the UKI names first. */
  readonly deploymentId: string;
  /** The image's files as its layers have them, `/boot` included. */
  readonly files: TreeFiles;
  /** What a mount of the bootable image shows. */
  readonly tree: DirectoryNode;
  /** What the files of `/etc` and `/var` keep besides. */
  readonly stateXattrs: StateXattrs;
  readonly policy: SelinuxPolicy | undefined;
  /** Everything in the repository, for the disk. */
  readonly repositoryEntries: () => Iterable<StagedEntry>;
  /** Copies the data of an object into a new file. */
  readonly copyObject: (objectId: string, path: string) => void;
}

const BOOT = byteStringOfText("boot");
/** Tags of this prefix keep host images alive (spec/host.md 1.10). */
const HOST_TAG_PREFIX = "localhost/bootc-";

/**
 * Pulls the image with the bootable variants that its UKI names; bytes are hashed on the way, once.
 *
 * @throws SealrootError as openImage, pullOpenedImage and findSealedUki; `unsupported` for an artifact; `conflict` when
 *   the UKI names an image that is not made of these layers
 */
export async function stageImage(options: StageOptions): Promise<StagedImage> {
  const { source, registry, policy } = options;
  const image = await openImage(parseReference(source), { registry, ...(policy === undefined ? {} : { policy }) });
  try {
    return await stageOpenedImage(image, options);
  } finally {
    await image.close();
  }
}

async function stageOpenedImage(image: OpenedImage, options: StageOptions): Promise<StagedImage> {
  if (image.config === undefined) {
    throw new SealrootError("unsupported", `Cannot install ${options.source}: it is an artifact, not an image`, {
      path: options.source,
    });
  }
  options.checkSize(image.manifest.layers.reduce((sum, layer) => sum + layer.size, 0));
  const { architecture } = platformOf(image.config, image.manifest.config.digest);
  const repositoryPath = join(options.directory, "repository");
  const { repository } = await initRepository(repositoryPath, { algorithm: "sha512", protection: "offline" });
  using _ = repository;
  const { digest: manifestDigest } = image.descriptor;
  const pulled = await pullOpenedImage(repository, image, `${HOST_TAG_PREFIX}${manifestDigest}`, {
    chooseBootImages: (root, candidates) =>
      namedBootImages(findSealedUki(filesOf(repository, root)).composefsArguments, candidates),
    events: options.events,
  });
  const [bootImage] = pulled.chosenBootImages;
  if (bootImage === undefined) throw corrupt(`Cannot install ${options.source}: no bootable image was made of it`);
  const trees = await runStep(options.events, "read the image's files", (reporter) => {
    for (const made of pulled.chosenBootImages) reportOldRule(made, reporter);
    return readTrees(repository, manifestDigest, bootImage);
  });
  const deploymentId = bootImage.id;
  return { manifestDigest, architecture, deploymentId, ...trees, ...repositoryAccess(repository, trees) };
}

/** Says by which rule a UKI's image was made, if not by today's. */
function reportOldRule(image: RecordedBootImage, reporter: StepReporter): void {
  const { keepUserXattrs, bootTimes } = DEFAULT_BOOT_RULE;
  if (image.keepUserXattrs === keepUserXattrs && image.bootTimes === bootTimes) return;
  reporter.info(`The image ${image.id} of the UKI was made by a rule of its own: ${describeBootImage(image)}`);
}

function filesOf(repository: Repository, root: DirectoryNode): TreeFiles {
  return new TreeFiles(root, (objectId) => repository.objects.read(objectId));
}

interface ImageTrees {
  /** As the layers have it. */
  readonly layers: DirectoryNode;
  /** As it is booted. */
  readonly tree: DirectoryNode;
  readonly stateXattrs: StateXattrs;
  readonly policy: SelinuxPolicy | undefined;
}

/** Merges the layers once: the two trees share all nodes but the root and `/boot`, which booting empties. */
async function readTrees(repository: Repository, manifestDigest: string, rule: BootRule): Promise<ImageTrees> {
  const stored = await readStoredImage(repository, manifestDigest);
  if (stored === undefined) throw corrupt(`Cannot read image ${manifestDigest}: it is not in the repository`);
  const tree = await mergeLayers(repository, storedLayers(stored));
  const layers: DirectoryNode = { ...tree, entries: new Map(tree.entries) };
  const boot = layers.entries.get(BOOT);
  if (boot?.kind === "directory") layers.entries.set(BOOT, { ...boot, entries: new Map(boot.entries) });
  const xattrs = stateXattrs(tree);
  const readContent = storedContents(repository);
  composeBootTree(tree, readContent, rule);
  const policy = readSelinuxPolicy(tree, readContent);
  return { layers, tree, stateXattrs: xattrs, policy };
}

/** What may be asked of the repository when it is closed: nobody else has it, or changes it. */
function repositoryAccess(
  repository: Repository,
  trees: ImageTrees,
): Pick<StagedImage, "repositoryEntries" | "files" | "copyObject"> {
  const { objects } = repository;
  return {
    repositoryEntries: () => repository.stagedEntries(),
    files: filesOf(repository, trees.layers),
    copyObject: (objectId, path) => {
      using object = objects.open(objectId);
      const file = openSync(path, "wx");
      try {
        for (const chunk of object.chunks()) writeSync(file, chunk);
      } finally {
        closeSync(file);
      }
    },
  };
}
