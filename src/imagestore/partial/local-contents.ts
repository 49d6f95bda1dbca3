/** Which file contents a repository has, by their sha256. */
import { SealrootError } from "../../errors/index.ts";
import type { StepReporter } from "../../events/index.ts";
import type { DerivedFiles, Repository } from "../../repository/index.ts";
import { DIGEST_BYTES } from "../../verity/index.ts";
import type { ArchivedEntry } from "../layer/layer-splitter.ts";
import { LAYER_STREAM_PREFIX } from "../stream-names.ts";
import { encodeFileList, FILE_LIST_MAX_BYTES, findInFileList, isFileList, type LocalContent } from "./file-list.ts";
import { hashContents, knownContents } from "./layer-files.ts";

type FileLists = Pick<DerivedFiles, "read" | "write" | "remove" | "keepOnly">;

/**
 * The contents of all layers in a repository, for the duration of one pull.
 *
 * A list is kept for each layer's stream (docs/images.md, "Partial pulls"). Lists are made when first needed; what they
 * say is a hint, since anything in the repository may have been lost or damaged since.
 */
export class LocalContents {
  readonly #repository: Repository;
  readonly #reporter: StepReporter;
  readonly #lists: FileLists;
  /** Layers whose list was made, or cannot be made because of damage. */
  readonly #settled = new Set<string>();
  /** One layer is hashed at a time, with all workers. */
  #hashing: Promise<void> = Promise.resolve();
  #isPruned = false;
  /** False if the repository had no layer when the pull began: then nothing can be saved. */
  readonly hasLayers: boolean;
  /** Which layer's list a content was found in, by its sha256. */
  readonly #origins = new Map<string, string>();

  /**
   * @param reporter told when contents are being hashed
   * @param lists where they are kept; in the repository if absent
   */
  constructor(repository: Repository, reporter: StepReporter, lists: FileLists = keptLists(repository)) {
    this.#repository = repository;
    this.#reporter = reporter;
    this.#lists = lists;
    this.hasLayers = layerIdsOf(repository).size > 0;
  }

  /**
   * Finds contents in the layers that have a name.
   *
   * @param wanted sha256 in hex to sizes
   * @returns those that are there, according to lists and names of objects
   */
  async find(wanted: ReadonlyMap<string, number>): Promise<Map<string, LocalContent>> {
    const found = new Map<string, LocalContent>();
    const sorted = [...wanted.keys()].sort();
    for (const layerId of this.#layerIds()) {
      const list = await this.#listOf(layerId);
      if (list === undefined) continue;
      for (const [digest, content] of findInFileList(list, sorted, DIGEST_BYTES[this.#repository.algorithm])) {
        if (found.has(digest) || content.sizeBytes !== wanted.get(digest)) continue;
        if (content.type === "object" && !this.#repository.objects.has(content.objectId)) continue;
        found.set(digest, content);
        this.#origins.set(digest, layerId);
      }
    }
    return found;
  }

  /**
   * Keeps the list of a layer whose files were just verified.
   * @param digestOf sha256 in hex by path
   */
  record(layerId: string, entries: Iterable<ArchivedEntry>, digestOf: (path: string) => string | undefined): void {
    this.#lists.write(layerId, encodeFileList(knownContents(entries, digestOf)));
  }

  /** Has a list that was wrong about a content made again at the next pull. @param digest sha256 in hex */
  distrust(digest: string): void {
    const layerId = this.#origins.get(digest);
    if (layerId !== undefined) this.#lists.remove(layerId);
  }

  #layerIds(): ReadonlySet<string> {
    const layerIds = layerIdsOf(this.#repository);
    if (!this.#isPruned) this.#lists.keepOnly(layerIds);
    this.#isPruned = true;
    return layerIds;
  }

  /** The layer's list, made if there is none; undefined for anything but a readable layer. */
  async #listOf(layerId: string): Promise<Buffer | undefined> {
    const list = this.#readList(layerId);
    if (list !== undefined) return list;
    this.#hashing = this.#hashing.then(() => this.#makeList(layerId));
    await this.#hashing;
    return this.#readList(layerId);
  }

  #readList(layerId: string): Buffer | undefined {
    const list = this.#lists.read(layerId, FILE_LIST_MAX_BYTES);
    return list !== undefined && isFileList(list) ? list : undefined;
  }

  async #makeList(layerId: string): Promise<void> {
    if (this.#settled.has(layerId)) return;
    this.#settled.add(layerId);
    const name = `hash files of layer ${layerId.slice(0, SHORT_ID_LENGTH)}`;
    const report = (state: "running" | "finished", done: number, total: number) =>
      this.#reporter.subtask({ id: `hash ${layerId}`, name, state, done, total, unit: "bytes" });
    let hashedBytes = 0;
    try {
      const contents = await hashContents(this.#repository, layerId, (done, total) => {
        hashedBytes = total;
        report("running", done, total);
      });
      this.#lists.write(layerId, encodeFileList(contents));
    } catch (error) {
      // Artifacts have such names too, and a damaged layer only means that more is fetched.
      if (!(error instanceof SealrootError) || !UNREADABLE.has(error.code)) throw error;
    }
    if (hashedBytes > 0) report("finished", hashedBytes, hashedBytes);
  }
}

function keptLists(repository: Repository): DerivedFiles {
  return repository.derivedFiles("files");
}

/** The lists of a repository, to which nothing is written: what is made is kept in memory. */
export class UnwrittenLists implements FileLists {
  readonly #kept: DerivedFiles;
  readonly #made = new Map<string, Buffer>();

  constructor(repository: Repository) {
    this.#kept = keptLists(repository);
  }

  read(objectId: string, maxBytes: number): Buffer | undefined {
    return this.#made.get(objectId) ?? this.#kept.read(objectId, maxBytes);
  }

  write(objectId: string, content: Uint8Array): void {
    this.#made.set(objectId, Buffer.from(content));
  }

  remove(objectId: string): void {
    this.#made.delete(objectId);
  }

  keepOnly(): void {
    // Nothing of the repository is removed, and what was made is of this run.
  }
}

/** Object ids of the streams that have the name of a layer. */
function layerIdsOf(repository: Repository): ReadonlySet<string> {
  const layers = repository.streams.entries().filter(({ entry }) => entry.startsWith(LAYER_STREAM_PREFIX));
  return new Set(layers.map(({ objectId }) => objectId));
}

const SHORT_ID_LENGTH = 12;
const UNREADABLE: ReadonlySet<string> = new Set(["corrupt", "not-found", "conflict", "unsupported", "untrusted"]);
