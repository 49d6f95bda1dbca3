/** The repository of the new system, staged on the building host with verity metadata behind every object. */
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { byteStringOfText } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import {
  layerIdsOf,
  makeBootable,
  mergeLayers,
  type OpenedImage,
  openImage,
  type PolicyChoice,
  parseReference,
  pullOpenedImage,
  type RegistryOptions,
  readStoredImage,
} from "../oci/index.ts";
import { initRepository, type Repository } from "../repository/index.ts";
import type { SelinuxPolicy } from "../selinux/index.ts";
import { type DirectoryNode, readSelinuxPolicy, TreeFiles, transformForOci } from "../tree/index.ts";

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
  /** fs-verity digest of the bootable EROFS image. */
  readonly deploymentId: string;
  /** The image's files as its layers have them, `/boot` included. */
  readonly files: TreeFiles;
  /** What a mount of the bootable image shows. */
  readonly tree: DirectoryNode;
  readonly policy: SelinuxPolicy | undefined;
  readonly repositoryPath: string;
  /** Copies the data of an object into a new file. */
  readonly copyObject: (objectId: string, path: string) => void;
}

const BOOT = byteStringOfText("boot");
/** Tags of this prefix keep host images alive (spec/host.md 1.10). */
const HOST_TAG_PREFIX = "localhost/bootc-";

/**
 * Pulls the image with its bootable variant; bytes are hashed on the way, once.
 *
 * @throws SealrootError as openImage and pullOpenedImage; `unsupported` for an artifact
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
  const { architecture } = image.config;
  const repositoryPath = join(options.directory, "repository");
  const { repository } = await initRepository(repositoryPath, { algorithm: "sha512", protection: "offline" });
  using _ = repository;
  const { digest: manifestDigest } = image.descriptor;
  const pulled = await pullOpenedImage(repository, image, `${HOST_TAG_PREFIX}${manifestDigest}`, {
    bootable: true,
    events: options.events,
  });
  const deploymentId = pulled.bootImageIds.get(repository.formats.default);
  if (deploymentId === undefined) throw corrupt(`Cannot install ${options.source}: no bootable image was made of it`);
  const trees = await runStep(options.events, "read the image's files", () => readTrees(repository, manifestDigest));
  return { manifestDigest, architecture, deploymentId, repositoryPath, ...trees, ...objectAccess(repository, trees) };
}

interface ImageTrees {
  /** As the layers have it. */
  readonly layers: DirectoryNode;
  /** As it is booted. */
  readonly tree: DirectoryNode;
  readonly policy: SelinuxPolicy | undefined;
}

/** Merges the layers once: the two trees share all nodes but the root and `/boot`, which booting empties. */
async function readTrees(repository: Repository, manifestDigest: string): Promise<ImageTrees> {
  const stored = await readStoredImage(repository, manifestDigest);
  if (stored === undefined) throw corrupt(`Cannot read image ${manifestDigest}: it is not in the repository`);
  const tree = await mergeLayers(repository, layerIdsOf(stored));
  const layers: DirectoryNode = { ...tree, entries: new Map(tree.entries) };
  const boot = layers.entries.get(BOOT);
  if (boot?.kind === "directory") layers.entries.set(BOOT, { ...boot, entries: new Map(boot.entries) });
  transformForOci(tree);
  makeBootable(repository, tree);
  const policy = readSelinuxPolicy(tree, (content) => {
    if (content.type === "inline") return content.bytes;
    return content.objectId === undefined ? new Uint8Array() : repository.objects.read(content.objectId);
  });
  return { layers, tree, policy };
}

function objectAccess(repository: Repository, trees: ImageTrees): Pick<StagedImage, "files" | "copyObject"> {
  const { objects } = repository;
  return {
    files: new TreeFiles(trees.layers, (objectId) => objects.read(objectId)),
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
