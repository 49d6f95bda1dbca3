/** Open files on their way into objects: blocks shared, or a second name, or a copy (spec/repository.md 3.2). */
import { readSync } from "node:fs";
import { VerityHasher } from "../../../verity/index.ts";
import { CLONE_MIN_BYTES, cloneFile, cloneUnnamed, linkFile } from "../import-file.ts";
import { ObjectDraft, type StoredObject } from "../object-draft.ts";
import type { ImportStatistics } from "../object-importer.ts";
import { stateOfExistingObject } from "../object-protection.ts";
import type { ObjectSettings } from "../object-settings.ts";
import type { ObjectWorkers } from "../object-workers.ts";
import type { ObjectRequest, StoredResponse } from "./object-jobs.ts";

/** An open file of this process to be made an object. */
export interface TakeFileRequest {
  readonly kind: "take-file";
  readonly settings: ObjectSettings;
  /** The threads of a process share their descriptors. */
  readonly fd: number;
  /** As in linkFile(): where blocks cannot be shared. */
  readonly linkFile: boolean;
}

const CHUNK_BYTES = 1 << 20;
/** Files under way before the producer waits: each keeps a descriptor open. */
const UNDER_WAY_MAX = 64;

let buffer: Buffer | undefined;

/** Does it, in a worker. */
export function takeFile({ settings, fd, linkFile: mayLink }: TakeFileRequest): StoredResponse {
  buffer ??= Buffer.allocUnsafe(CHUNK_BYTES);
  const { objectId, isNew } = cloneFile(settings, fd, buffer) ?? linkOrCopy(settings, fd, mayLink, buffer);
  return { kind: "stored", objectIds: [objectId], isNew: [isNew] };
}

function linkOrCopy(settings: ObjectSettings, fd: number, mayLink: boolean, chunk: Buffer): StoredObject {
  if (mayLink) {
    const hasher = new VerityHasher(settings.algorithm);
    readAll(fd, chunk, (piece) => hasher.update(piece));
    const { sizeBytes } = hasher;
    const objectId = hasher.hexDigest();
    const isThere = stateOfExistingObject(settings, objectId, sizeBytes) === "good";
    if (isThere || linkFile(settings, fd, objectId)) return { objectId, sizeBytes, isNew: !isThere };
  }
  const draft = new ObjectDraft(settings);
  try {
    readAll(fd, chunk, (piece) => draft.write(piece));
    return draft.finish();
  } finally {
    draft.abort();
  }
}

function readAll(fd: number, chunk: Buffer, take: (piece: Buffer) => void): void {
  for (let at = 0; ; ) {
    const length = readSync(fd, chunk, 0, chunk.length, at);
    if (length === 0) return;
    take(chunk.subarray(0, length));
    at += length;
  }
}

/** Makes objects of open files, in parallel. */
export class FileImporter {
  readonly #settings: ObjectSettings;
  readonly #workers: ObjectWorkers;
  readonly #statistics: ImportStatistics;
  readonly #underWay = new Set<Promise<unknown>>();

  /** From {@link ObjectStore.fileImporter}. @param statistics where the objects are counted too */
  constructor(settings: ObjectSettings, workers: ObjectWorkers, statistics: ImportStatistics) {
    this.#settings = settings;
    this.#workers = workers;
    this.#statistics = statistics;
  }

  /**
   * A file without a name that shares the blocks of an open one: whoever writes to that one does not change it, so that
   * it can be read, and then be made an object, without a copy.
   *
   * @returns its descriptor, which the caller closes; undefined where the file systems cannot do that, where it is not
   *   worth it, and when the file is not `sizeBytes` long
   */
  clone(fd: number, sizeBytes: number): number | undefined {
    return sizeBytes < CLONE_MIN_BYTES ? undefined : cloneUnnamed(this.#settings, fd, sizeBytes);
  }

  /**
   * Makes an object of an open file.
   *
   * @param fd must stay open until the answer is there
   * @param options.linkFile give the file a second name in the store where its blocks cannot be shared: it gets fs-verity
   *   where it lies, and can never be written again
   * @returns the object's id, once it is stored
   */
  add(fd: number, sizeBytes: number, options: { readonly linkFile: boolean }): Promise<string> {
    const request: ObjectRequest = { kind: "take-file", settings: this.#settings, fd, ...options };
    const stored = this.#workers.run(request).then((answer) => {
      if (answer.kind !== "stored") throw new Error("object lost");
      if (answer.isNew[0] === true) {
        this.#statistics.newObjects += 1;
        this.#statistics.storedBytes += sizeBytes;
      } else this.#statistics.presentObjects += 1;
      return answer.objectIds[0] ?? "";
    });
    // A failure is the receiver's; here it only ends the waiting.
    const settled: Promise<unknown> = stored.then(
      () => this.#underWay.delete(settled),
      () => this.#underWay.delete(settled),
    );
    this.#underWay.add(settled);
    return stored;
  }

  /** Waits while too many files are under way. */
  async room(): Promise<void> {
    while (this.#underWay.size >= UNDER_WAY_MAX) await Promise.race(this.#underWay);
  }

  /** Waits until nothing is under way, whatever became of it. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }
}
