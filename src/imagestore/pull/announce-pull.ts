/** What a pull would fetch and store, as far as the source tells without the layers themselves. Writes nothing. */
import { readChunkedAnnotations, type TocContent } from "../../chunked/index.ts";
import { corrupt } from "../../errors/index.ts";
import type { StepReporter } from "../../events/index.ts";
import type { OpenedImage } from "../../images/index.ts";
import { inLayer, layerPlaces } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { DirectoryNode, FileContent } from "../../tree/index.ts";
import type { Layer } from "../layer/layer.ts";
import { unpackedLimitBytes } from "../layer/layer-check.ts";
import type { ArchivedEntry } from "../layer/layer-splitter.ts";
import { announcedEntries, fetchFile, standInId } from "../partial/announced-files.ts";
import { planFetch, sha256Hex, wantedContents } from "../partial/fetch-plan.ts";
import { fetchTable, type ReadRanges } from "../partial/fetch-table.ts";
import { LocalContents, UnwrittenLists } from "../partial/local-contents.ts";
import { PullWhole } from "../partial/not-partial.ts";
import { readStoredConfig, type StoredLayerRef } from "../stored-image.ts";
import { mergeLayers } from "../tree/merge-layers.ts";
import { planLayers } from "./layer-plan.ts";

/** A content that the repository lacks. */
export interface MissingContent {
  readonly sizeBytes: number;
  /** Digest of the blob. */
  readonly layer: string;
  readonly read: () => Promise<Uint8Array>;
}

export interface AnnouncedLayer {
  readonly digest: string;
  readonly sizeBytes: number;
  /**
   * `present`: nothing is fetched; `local`: it is taken from a store of this machine; `parts`: only what is missing;
   * `whole`: all of it.
   */
  readonly source: "present" | "local" | "parts" | "whole";
  readonly fetchBytes: number;
  /** Why a layer with a table of contents is fetched whole. */
  readonly reason: string | undefined;
  /** Of a layer that is fetched by parts, uncompressed: what becomes of its tar besides the contents of files. */
  readonly headersBytes: number;
  /** Of a layer that is fetched by parts. */
  readonly entries: readonly ArchivedEntry[] | undefined;
}

/** Layers each once, in the order of first use. */
export interface AnnouncedPull {
  readonly layers: readonly AnnouncedLayer[];
  /**
   * False: several layers are fetched at once and may have contents in common; which one fetches them is not decided,
   * and it may be fewer bytes.
   */
  readonly isExact: boolean;
  /** Contents of layers that are fetched by parts, by what stands for their object id in the tree. */
  readonly missing: ReadonlyMap<string, MissingContent>;
  /** The merged layers; undefined when some are fetched whole, as nothing is known of their files. */
  readonly tree: DirectoryNode | undefined;
}

/**
 * Reads the tables of contents of the layers that a pull would fetch by parts.
 *
 * @param reporter told when contents of the repository are being hashed, which is kept in memory only
 * @throws SealrootError `corrupt` for tables that are wrong, with which the pull would fail as well
 */
export async function announcePull(
  repository: Repository,
  image: OpenedImage,
  reporter: StepReporter,
): Promise<AnnouncedPull> {
  const known = await readStoredConfig(repository, image.manifest.config.digest, image.config !== undefined);
  const plan = planLayers(repository, image, { known, complete: false });
  const contents = new LocalContents(repository, reporter, new UnwrittenLists(repository));
  const announcer = new Announcer(repository, image, contents);
  const layers = new Map<string, AnnouncedLayer>();
  for (const layer of plan.layers) {
    const isPresent = plan.present.has(layer.diffId);
    try {
      layers.set(layer.diffId, isPresent ? unfetched(layer, "present") : await announcer.announce(layer));
    } catch (error) {
      throw inLayer(layer.place, error);
    }
  }
  const fetched = [...layers.values()].filter(({ fetchBytes }) => fetchBytes > 0);
  return {
    layers: [...layers.values()],
    isExact:
      fetched.every(({ source }) => source === "whole") ||
      (fetched.every(({ source }) => source === "parts") && !announcer.sharesContents),
    missing: announcer.missing,
    tree: await treeOf(repository, image, plan.present, layers),
  };
}

function unfetched({ blob }: Layer, source: "present" | "local"): AnnouncedLayer {
  const { digest, size: sizeBytes } = blob;
  return { digest, sizeBytes, source, fetchBytes: 0, reason: undefined, headersBytes: 0, entries: undefined };
}

class Announcer {
  readonly missing = new Map<string, MissingContent>();
  /** A content is missing in two layers. */
  sharesContents = false;
  readonly #repository: Repository;
  readonly #image: OpenedImage;
  readonly #contents: LocalContents;

  constructor(repository: Repository, image: OpenedImage, contents: LocalContents) {
    this.#repository = repository;
    this.#image = image;
    this.#contents = contents;
  }

  async announce(layer: Layer): Promise<AnnouncedLayer> {
    const whole = { ...unfetched(layer, "present"), source: "whole", fetchBytes: layer.blob.size } as const;
    const parts = await this.#parts(layer).catch((error: unknown) => {
      if (error instanceof PullWhole) return { ...whole, reason: error.message };
      throw error;
    });
    if (parts !== undefined) return parts;
    const isUnpacked = layer.compression !== undefined && this.#image.unpacked !== undefined;
    return isUnpacked ? unfetched(layer, "local") : whole;
  }

  /** By the same conditions as pullPartially(). */
  async #parts(layer: Layer): Promise<AnnouncedLayer | undefined> {
    const { blobs } = this.#image;
    const { blob, compression } = layer;
    const readRanges = blobs.readRanges?.bind(blobs);
    if (compression !== "zstd" || readRanges === undefined || this.#repository.protection === "offline")
      return undefined;
    if (!this.#contents.hasLayers) return undefined;
    const positions = readChunkedAnnotations(blob.annotations, blob.size);
    if (positions === undefined) return undefined;
    const table = await fetchTable(readRanges, blob, positions, unpackedLimitBytes(blob, undefined));
    const local = await this.#contents.find(wantedContents(table.toc));
    const { rangesBytes } = planFetch(table.toc, local);
    for (const { content, sizeBytes } of table.toc.entries) {
      if (content !== undefined && !local.has(sha256Hex(content.digest)))
        this.#addMissing(layer, readRanges, content, sizeBytes);
    }
    return {
      digest: blob.digest,
      sizeBytes: blob.size,
      source: "parts",
      fetchBytes: table.fetchedBytes + rangesBytes,
      reason: undefined,
      headersBytes: positions.tarSplit?.uncompressedBytes ?? 0,
      entries: announcedEntries(table, local, this.#repository.algorithm),
    };
  }

  #addMissing({ blob }: Layer, readRanges: ReadRanges, content: TocContent, sizeBytes: number): void {
    const id = standInId(content, this.#repository.algorithm);
    const known = this.missing.get(id);
    if (known !== undefined) {
      this.sharesContents ||= known.layer !== blob.digest;
      return;
    }
    const read = () => fetchFile(readRanges, blob, content);
    this.missing.set(id, { sizeBytes, layer: blob.digest, read });
  }
}

async function treeOf(
  repository: Repository,
  { config, manifest }: OpenedImage,
  present: ReadonlyMap<string, string>,
  layers: ReadonlyMap<string, AnnouncedLayer>,
): Promise<DirectoryNode | undefined> {
  const diffIds = config?.rootfs.diff_ids ?? [];
  const digests = manifest.layers.map(({ digest }) => digest);
  const fetched = new Map<string, readonly ArchivedEntry[]>();
  const stored: StoredLayerRef[] = [];
  for (const [index, place] of layerPlaces(digests, config).entries()) {
    const diffId = diffIds[index] ?? "";
    const layerId = present.get(diffId) ?? `announced ${index}`;
    const entries = layers.get(diffId)?.entries;
    if (!present.has(diffId)) {
      if (entries === undefined) return undefined;
      fetched.set(layerId, entries);
    }
    stored.push({ layerId, place });
  }
  return mergeLayers(repository, stored, fetched);
}

/** Reads a content of {@link AnnouncedPull.tree}: from the repository or, if it lacks it, from the source. */
export async function readAnnounced(
  repository: Repository,
  { missing }: Pick<AnnouncedPull, "missing">,
  content: FileContent,
): Promise<Uint8Array> {
  if (content.type === "inline") return content.bytes;
  const absent = missing.get(content.objectId ?? "");
  if (absent !== undefined) return absent.read();
  if (content.objectId !== undefined) return repository.objects.read(content.objectId);
  throw corrupt("Cannot read a file of the image: its content is not known");
}
