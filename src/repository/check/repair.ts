/** Repairing a repository: what is wrong is removed, what is missing can be fetched again. */

import { closeSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { hasErrno, SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep, silent } from "../../events/index.ts";
import { openRegularFile, verityOn } from "../../objects/index.ts";
import type { Repository } from "../repository.ts";
import { withExclusiveLock } from "./exclusive-lock.ts";
import { checkRepository } from "./fsck.ts";
import { brokenObjects, findHitReferences } from "./fsck-hits.ts";
import { checkLinks } from "./fsck-links.ts";
import type { Finding, FindingKind, FsckReport } from "./fsck-report.ts";

export interface RepairOptions {
  /**
   * Fetches what is missing. Called when damaged objects are gone, so that they count as missing, but while links to
   * them still show what they were.
   */
  readonly restore?: () => Promise<void>;
  /** How long to wait for other users of the repository; forever if absent. */
  readonly lockTimeoutMs?: number;
  readonly events?: EventSink;
}

/** All paths are relative to the repository. */
export interface RepairReport {
  readonly before: FsckReport;
  /** References that led to something broken or missing. */
  readonly hit: readonly string[];
  readonly removed: readonly string[];
  /** Objects that lacked fs-verity and have it now. */
  readonly protected: readonly string[];
  readonly after: FsckReport;
}

/** Found in the file itself: its content cannot be used. */
const DAMAGED_OBJECT: ReadonlySet<FindingKind> = new Set(["object-digest-mismatch", "object-invalid-name"]);
/** The stream does not match its name. */
const WRONG_STREAM: ReadonlySet<FindingKind> = new Set(["stream-content-mismatch", "stream-read-failed"]);
const WRONG_LINK: ReadonlySet<FindingKind> = new Set([
  "broken-symlink",
  "entry-not-symlink",
  "unexpected-file-type",
  "reference-outside-category",
]);
const WRONG_IMAGE: ReadonlySet<FindingKind> = new Set(["image-name-mismatch", "image-invalid"]);

/**
 * Checks everything, then repairs it while nobody else has the repository open: damaged objects, streams whose content
 * does not match their names, dangling links, stray files and leftovers are removed; objects without fs-verity get it
 * if they have the right content. Streams and images that lack an object stay: they are complete again once it is
 * fetched. What could not be repaired is in `after.errors`.
 *
 * @throws SealrootError `timeout` when others keep the repository open; what `restore` throws
 */
export async function repairRepository(repository: Repository, options: RepairOptions = {}): Promise<RepairReport> {
  const events = options.events ?? silent;
  const { lockTimeoutMs } = options;
  return withExclusiveLock(repository, { purpose: "repair", lockTimeoutMs, events }, async () => {
    const before = await checkRepository(repository, { events });
    const hit = before.errors.length === 0 ? [] : findHitReferences(repository, brokenObjects(repository, before));
    const repair = new Repair(repository);
    await runStep(events, "repair objects", () => repair.objects(before.errors));
    // Only now: a stream that needs a damaged object looked wrong itself.
    const { errors } = await checkRepository(repository, { events, withoutObjects: true });
    await runStep(events, "repair streams and images", () => repair.streamsAndImages(errors));
    await options.restore?.();
    await runStep(events, "repair links", () => repair.links(before.leftovers));
    repository.sync();
    const after = await checkRepository(repository, { events });
    return { before, hit, removed: repair.removed, protected: repair.protected, after };
  });
}

class Repair {
  readonly removed: string[] = [];
  readonly protected: string[] = [];
  readonly #repository: Repository;

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  objects(findings: readonly Finding[]): void {
    for (const { kind, path } of findings) {
      if (DAMAGED_OBJECT.has(kind)) this.#remove(path);
      else if (kind === "object-verity-failed" && this.#repository.protection === "offline") this.#remove(path);
      else if (kind === "object-verity-missing") this.#protect(path);
    }
  }

  streamsAndImages(findings: readonly Finding[]): void {
    const { streams, objects, path: root } = this.#repository;
    const wrong = new Set(findings.filter(({ kind }) => WRONG_STREAM.has(kind)).map(({ path }) => path));
    const sound = new Set(
      streams.entries().flatMap(({ entry, objectId }) => (wrong.has(`streams/${entry}`) ? [] : [objectId])),
    );
    for (const path of wrong) {
      const objectId = streams.find(path.slice("streams/".length));
      // References to the stream by its object must find it missing, not wrong.
      if (objectId !== undefined && !sound.has(objectId) && objects.has(objectId)) {
        this.#remove(objects.path(objectId).slice(root.length + 1));
      }
      this.#remove(path);
    }
    for (const { kind, path } of findings) if (WRONG_IMAGE.has(kind)) this.#remove(path);
  }

  links(leftovers: readonly Finding[]): void {
    for (const { path } of leftovers) this.#remove(path);
    // Twice: what led to a stray entry leads nowhere once that is gone.
    for (let pass = 0; pass < 2; pass++) {
      for (const kind of ["streams", "images"] as const) {
        const { findings } = checkLinks(this.#repository.path, kind, this.#repository.algorithm);
        for (const finding of findings) if (WRONG_LINK.has(finding.kind)) this.#remove(finding.path);
      }
    }
  }

  /** Removes a file or link; a directory in the way stays and is found by the final check. */
  #remove(path: string): void {
    try {
      unlinkSync(join(this.#repository.path, path));
      this.removed.push(path);
    } catch (error) {
      if (!["ENOENT", "EISDIR", "EPERM"].some((code) => hasErrno(error, code))) throw error;
    }
  }

  #protect(path: string): void {
    const { settings } = this.#repository.objects;
    const objectId = path.slice("objects/".length).replace("/", "");
    const fd = openRegularFile(join(this.#repository.path, path));
    try {
      verityOn(settings, fd, objectId);
      this.protected.push(path);
    } catch (error) {
      if (!(error instanceof SealrootError) || error.code !== "untrusted") throw error;
      this.#remove(path);
    } finally {
      closeSync(fd);
    }
  }
}
