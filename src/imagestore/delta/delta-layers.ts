/**
 * The layers of an image that a delta leads to: each made of its part of the delta and of files of the image that the repository
 * has. What comes out is stored only when it has the layer's diff id.
 */

import type { ByteString } from "../../bytes/index.ts";
import { applyTarDiff, type SourceFile, TAR_DIFF_MEDIA_TYPE, type TarDiffSource } from "../../delta/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import type { OpenedDelta } from "../../images/index.ts";
import {
  type Descriptor,
  decompressLayer,
  type LayerPart,
  layerCompression,
  type UnpackedLayer,
  type UnpackedLayers,
} from "../../oci/index.ts";
import { openRepository, type Repository } from "../../repository/index.ts";
import { type DirectoryNode, type FileContent, lookupPath, quotePath } from "../../tree/index.ts";
import { unpackedLimitBytes } from "../layer/layer-check.ts";
import { readStoredConfig, storedLayers } from "../stored-image.ts";
import { mergeLayers } from "../tree/merge-layers.ts";

/**
 * @param repositoryPath opened while a layer is made, and closed before its image is used
 * @param name of the delta, for errors
 */
export class DeltaLayers implements UnpackedLayers {
  readonly #delta: OpenedDelta;
  readonly #repositoryPath: string;
  readonly #name: string;
  #tree: Promise<DirectoryNode> | undefined;

  constructor(delta: OpenedDelta, repositoryPath: string, name: string) {
    this.#delta = delta;
    this.#repositoryPath = repositoryPath;
    this.#name = name;
  }

  /** @throws SealrootError `not-found` for a layer that the delta expects the host to have */
  find(diffId: string): UnpackedLayer {
    const { image, layers } = this.#delta;
    const layer = image.manifest.layers[image.config.rootfs.diff_ids.indexOf(diffId)];
    const part = layer && layers.get(layer.digest);
    if (layer === undefined || part === undefined) {
      throw new SealrootError("not-found", `Cannot make layer ${diffId}: it is neither in the delta nor on this host`, {
        path: this.#name,
        hint: "upgrade from the registry, or make the delta from the image that this host runs",
      });
    }
    return { sizeBytes: undefined, parts: () => this.#parts(part, layer) };
  }

  async *#parts(part: Descriptor, layer: Descriptor): AsyncGenerator<LayerPart> {
    const blob = this.#delta.image.blobs.read(part);
    if (part.mediaType !== TAR_DIFF_MEDIA_TYPE) {
      const compression = layerCompression(part.mediaType);
      if (compression === undefined) throw unknownPart(part, this.#name);
      for await (const bytes of decompressLayer(blob, compression)) yield { type: "bytes", bytes };
      return;
    }
    using repository = await openRepository(this.#repositoryPath, { upgrade: "in-memory" });
    this.#tree ??= this.#sourceTree(repository);
    const source = new ImageFiles(await this.#tree, repository);
    const maxOutputBytes = unpackedLimitBytes(layer, undefined);
    for await (const bytes of applyTarDiff(blob, source, { maxOutputBytes })) yield { type: "bytes", bytes };
  }

  async #sourceTree(repository: Repository): Promise<DirectoryNode> {
    const digest = this.#delta.sourceConfigDigest;
    const stored = await readStoredConfig(repository, digest);
    if (stored !== undefined) return mergeLayers(repository, storedLayers(stored));
    throw new SealrootError("not-found", `Cannot use the delta: it starts from an image that this host does not have`, {
      path: this.#name,
      expected: digest,
      hint: "upgrade from the registry, or make the delta from the image that this host runs",
    });
  }
}

function unknownPart({ mediaType }: Descriptor, path: string): SealrootError {
  return new SealrootError("unsupported", `Cannot use the delta: a part is of the unknown kind ${mediaType}`, { path });
}

/** Files of an image in the repository, as its layers have them. */
class ImageFiles implements TarDiffSource {
  readonly #root: DirectoryNode;
  readonly #repository: Repository;

  constructor(root: DirectoryNode, repository: Repository) {
    this.#root = root;
    this.#repository = repository;
  }

  open(path: string): SourceFile {
    const node = lookupPath(this.#root, `/${path}` as ByteString);
    const shown = quotePath(path as ByteString);
    if (node?.kind !== "file") throw corrupt(`Cannot apply the delta: its source has no file ${shown}`);
    return openContent(node.content, this.#repository, shown);
  }
}

function openContent(content: FileContent, repository: Repository, path: string): SourceFile {
  if (content.type === "inline") {
    const { bytes } = content;
    return { sizeBytes: bytes.length, read: (start, end) => bytes.subarray(start, end), [Symbol.dispose]: () => {} };
  }
  if (content.objectId === undefined) throw corrupt(`Cannot apply the delta: ${path} has no object`);
  const object = repository.objects.open(content.objectId);
  return {
    sizeBytes: object.sizeBytes,
    read: (start, end) => object.range(start, end),
    [Symbol.dispose]: () => object.close(),
  };
}
