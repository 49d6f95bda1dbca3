/** An image unpacked into a temporary repository, for inspection. */
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import { layersAtHand, type OpenedImage } from "../images/index.ts";
import { mergeLayers, pullOpenedImage, readStoredConfig, storedLayers } from "../imagestore/index.ts";
import { formatReference, type ImageConfig, type ImageReference } from "../oci/index.ts";
import { collectGarbage, largeFileDirectory, temporaryDirectory } from "../platform/index.ts";
import { initRepository, type Repository } from "../repository/index.ts";
import type { DirectoryNode, TreeFiles } from "../tree/index.ts";
import { BoundedFiles } from "./bounded-files.ts";
import { SEAL_ALGORITHM } from "./image-id.ts";
import { UnpackBudget } from "./unpack-budget.ts";

export interface StoredImage {
  /** The image with its layers where reading them again is cheap. */
  readonly source: OpenedImage & { readonly config: ImageConfig };
  readonly repository: Repository;
}

export interface UnpackedImage extends StoredImage {
  /** The tree of all layers, before any transform; only read. */
  readonly root: DirectoryNode;
  readonly files: TreeFiles;
  /** What `files` draws from, for what is unpacked of them. */
  readonly budget: UnpackBudget;
}

export interface UnpackOptions {
  readonly source: ImageReference;
  /** Where it is unpacked; the system's temporary directory if absent. */
  readonly temporaryParent?: string | undefined;
  readonly events: EventSink;
}

/**
 * Unpacks an image for as long as it takes to look into it, and to use what was seen.
 *
 * @param look its result holds nothing of the tree, which may have a million files: its memory is free for `use`
 * @throws SealrootError `unsupported` for an artifact, and as `look` and `use`
 */
export async function unpackImage<Seen, Result>(
  opened: OpenedImage,
  options: UnpackOptions,
  look: (image: UnpackedImage) => Promise<Seen>,
  use: (image: StoredImage, seen: Seen) => Promise<Result>,
): Promise<Result> {
  const { config } = opened;
  const { events } = options;
  const reference = formatReference(options.source);
  if (config === undefined) {
    throw new SealrootError("unsupported", `Cannot seal ${reference}: it is an artifact, not an image`);
  }
  using scratch = temporaryDirectory({ parent: options.temporaryParent ?? largeFileDirectory(), purpose: "seal" });
  const path = join(scratch.path, "repository");
  const settings = { algorithm: SEAL_ALGORITHM, protection: "insecure", isTemporary: true } as const;
  const { repository } = await initRepository(path, settings);
  using _ = repository;
  // They are read twice: for the tree and into the output.
  const source = await layersAtHand({ ...opened, config }, join(scratch.path, "layers"), events);
  const { configDigest } = await pullOpenedImage(repository, source, reference, { plainImage: false, events });
  const stored = { source, repository };
  const seen = await lookInto(stored, configDigest, events, look);
  collectGarbage();
  return await use(stored, seen);
}

async function lookInto<Seen>(
  stored: StoredImage,
  configDigest: string,
  events: EventSink,
  look: (image: UnpackedImage) => Promise<Seen>,
): Promise<Seen> {
  const { repository } = stored;
  const root = await runStep(events, "merge layers", () => mergeStored(repository, configDigest));
  const budget = new UnpackBudget();
  const files = new BoundedFiles(root, (id) => repository.objects.read(id), budget);
  return await look({ ...stored, root, files, budget });
}

async function mergeStored(repository: Repository, configDigest: string): Promise<DirectoryNode> {
  const stored = await readStoredConfig(repository, configDigest);
  if (stored === undefined) throw new Error("unreachable: the configuration was stored by the pull");
  return mergeLayers(repository, storedLayers(stored));
}
