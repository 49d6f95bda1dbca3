/** The repository of the new system, staged on the building host with verity metadata after every object. */
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type StagedDeployment, stageDeployment } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import { type OpenedImage, openImage } from "../images/index.ts";
import { parseReference } from "../oci/index.ts";
import type { PolicyChoice } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";
import { initRepository, type Repository, type StagedEntry } from "../repository/index.ts";

export interface StageOptions {
  /** Skopeo-style reference. */
  readonly source: string;
  /** How to talk to its registry. */
  readonly registry: RegistryOptions | undefined;
  /** Existing directory for the repository. */
  readonly directory: string;
  /** Called with the sum of the compressed layers before anything is pulled; may refuse. */
  readonly checkSize: (layerBytes: number) => void;
  /** Decides whether the image may be installed; the machine's policy if absent. */
  readonly policy?: PolicyChoice;
  readonly events: EventSink;
}

/** A staged deployment and its repository. */
export type StagedImage = StagedDeployment & RepositoryAccess;

interface RepositoryAccess {
  /** Everything in the repository, for the disk. */
  readonly repositoryEntries: () => Iterable<StagedEntry>;
  /** Copies the data of an object into a new file. */
  readonly copyObject: (objectId: string, path: string) => void;
}

/**
 * Opens an image and stages its deployment in a repository of its own.
 *
 * @throws SealrootError as openImage and stageDeployment; `unsupported` for an artifact
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
  const { config } = image;
  if (config === undefined) {
    throw new SealrootError("unsupported", `Cannot install ${options.source}: it is an artifact, not an image`, {
      path: options.source,
    });
  }
  options.checkSize(image.manifest.layers.reduce((sum, layer) => sum + layer.size, 0));
  const repositoryPath = join(options.directory, "repository");
  const { repository } = await initRepository(repositoryPath, { algorithm: "sha512", protection: "offline" });
  using _ = repository;
  const staged = await stageDeployment(repository, { ...image, config }, options.source, options.events);
  return { ...staged, ...repositoryAccess(repository) };
}

/** What may be asked of the closed repository: nobody else has it, or changes it. */
function repositoryAccess(repository: Repository): RepositoryAccess {
  const { objects } = repository;
  return {
    repositoryEntries: () => repository.stagedEntries(),
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
