/** Creating an object: bytes go into a file without a name, which gets its name when it is complete (spec/repository.md 3.1). */
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { asSealrootError, hasErrno } from "../errors/index.ts";
import {
  cloneBlocks,
  linkOpenFile,
  openUnnamedFile,
  renameNoReplace,
  reopenForReading,
  writeWhole,
} from "../platform/index.ts";
import { ext4VerityTail, VerityHasher } from "../verity/index.ts";
import { stateOfExistingObject, verityNeeded, verityOn } from "./object-protection.ts";
import { type ObjectSettings, objectFilePath } from "./object-settings.ts";

/** What became of one object's bytes. */
export interface StoredObject {
  readonly objectId: string;
  readonly sizeBytes: number;
  /** False: the object was already there and these bytes were dropped. */
  readonly isNew: boolean;
}

const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o777;
/** Temporary names as in the reference; whatever begins like this and belongs to no process is garbage. */
export const TEMPORARY_OBJECT_PREFIX = ".tmp-object-";

/**
 * One object being made. Write the bytes in order, then finish() or abort(); after either the draft is closed. Nothing
 * is visible in the repository before finish(), and a crash leaves nothing (except if the file system has no O_TMPFILE:
 * a `.tmp-object-…`, which gc collects).
 */
export class ObjectDraft {
  readonly #settings: ObjectSettings;
  readonly #hasher: VerityHasher;
  /** The temporary name, if the file system has no unnamed files. */
  readonly #temporaryPath: string | undefined;
  #fd: number;
  #open = true;

  /** @param hasher of bytes that are already known, for {@link storeWhole} */
  constructor(settings: ObjectSettings, hasher = newHasher(settings)) {
    this.#settings = settings;
    this.#hasher = hasher;
    try {
      const draft = openDraftFile(settings.directory);
      this.#fd = draft.fd;
      this.#temporaryPath = draft.temporaryPath;
    } catch (error) {
      throw asSealrootError(error, "Cannot create an object", { path: settings.directory });
    }
  }

  /** Appends bytes. @throws SealrootError `no-space` …; the draft is then closed */
  write(chunk: Uint8Array): void {
    this.#hasher.update(chunk);
    this.#guard(() => writeWhole(this.#fd, chunk));
  }

  /**
   * Adopts the content of an open file by sharing its blocks. For a draft without bytes.
   *
   * @param buffer for reading the content back, which is hashed
   * @returns false if the file systems cannot do that; then nothing has happened
   */
  clone(sourceFd: number, buffer: Buffer): boolean {
    return this.#guard(() => {
      if (!cloneBlocks(sourceFd, this.#fd)) return false;
      let at = 0;
      for (let length = -1; length !== 0; at += length) {
        length = readSync(this.#fd, buffer, 0, buffer.length, at);
        this.#hasher.update(buffer.subarray(0, length));
      }
      return true;
    });
  }

  /**
   * Writes, names and closes an object that is known not to be there. A staged one needs a hasher that has seen its bytes.
   *
   * @param objectId the digest of the bytes
   * @param replace a damaged file with that name is in the way
   */
  storeWhole(bytes: Uint8Array, objectId: string, replace: boolean): StoredObject {
    return this.#guard(() => {
      writeWhole(this.#fd, bytes);
      const isNew = this.#commit(objectId, replace);
      this.abort();
      return { objectId, sizeBytes: bytes.length, isNew };
    });
  }

  /** Protects the file, gives it its name and closes it. An existing object stays. */
  finish(): StoredObject {
    return this.#guard(() => {
      const objectId = this.#hasher.hexDigest();
      const sizeBytes = this.#hasher.sizeBytes;
      const existing = stateOfExistingObject(this.#settings, objectId, sizeBytes);
      const isNew = existing === "good" ? false : this.#commit(objectId, existing === "damaged");
      this.abort();
      return { objectId, sizeBytes, isNew };
    });
  }

  /** Closes the draft and drops its bytes. May be called at any time and again. */
  abort(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
    if (this.#temporaryPath !== undefined) rmSync(this.#temporaryPath, { force: true });
  }

  #commit(objectId: string, replace: boolean): boolean {
    if (this.#settings.protection === "offline") {
      const tail = ext4VerityTail(this.#hasher);
      writeWhole(this.#fd, tail.bytes, tail.offset);
    } else if (verityNeeded(this.#settings)) {
      // fs-verity can be enabled only when no writable descriptor is left.
      const readOnlyFd = reopenForReading(this.#fd);
      closeSync(this.#fd);
      this.#fd = readOnlyFd;
      verityOn(this.#settings, readOnlyFd, objectId);
    }
    return this.#giveName(objectFilePath(this.#settings, objectId), replace);
  }

  /** @returns false when another process was faster: its object is as good as ours */
  #giveName(path: string, replace: boolean): boolean {
    if (replace) {
      this.#replaceObject(path);
      return true;
    }
    try {
      this.#linkInto(path);
      return true;
    } catch (error) {
      if (hasErrno(error, "EEXIST")) return false;
      throw error;
    }
  }

  /** The directory is made when it turns out to be missing: there are only 256 of them. */
  #linkInto(path: string): void {
    try {
      this.#link(path);
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
      makeObjectDirectory(dirname(path));
      this.#link(path);
    }
  }

  #link(path: string): void {
    if (this.#temporaryPath === undefined) linkOpenFile(this.#fd, path);
    else renameNoReplace(this.#temporaryPath, path);
  }

  /** Only for a damaged object: link(2) cannot replace, so the good file goes through a temporary name. */
  #replaceObject(path: string): void {
    const temporaryPath = this.#temporaryPath ?? temporaryObjectPath(this.#settings.directory);
    if (this.#temporaryPath === undefined) linkOpenFile(this.#fd, temporaryPath);
    renameSync(temporaryPath, path);
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.abort();
      throw asSealrootError(error, `Cannot write an object to ${this.#settings.directory}`, {
        path: this.#settings.directory,
      });
    }
  }
}

/** Whether an object can be stored by its digest alone: a staged one needs its Merkle tree too. */
export function storesByDigest(settings: ObjectSettings): boolean {
  return settings.protection !== "offline";
}

/**
 * Stores bytes in memory. The digest is computed first, so nothing is written for an existing object.
 *
 * @param knownId the digest of the bytes, where it has been computed and {@link storesByDigest} says that it is enough
 * @throws SealrootError `untrusted` for an existing object that the kernel does not vouch for, `no-space` …
 */
export function storeObject(settings: ObjectSettings, bytes: Uint8Array, knownId?: string): StoredObject {
  const hasher = newHasher(settings);
  const objectId = knownId ?? hasher.update(bytes).hexDigest();
  let existing: ReturnType<typeof stateOfExistingObject>;
  try {
    existing = stateOfExistingObject(settings, objectId, bytes.length);
  } catch (error) {
    throw asSealrootError(error, `Cannot write object ${objectId}`, { path: objectFilePath(settings, objectId) });
  }
  if (existing === "good") return { objectId, sizeBytes: bytes.length, isNew: false };
  return new ObjectDraft(settings, hasher).storeWhole(bytes, objectId, existing === "damaged");
}

/** A staged object keeps its Merkle tree, which is stored after its bytes. */
function newHasher(settings: ObjectSettings): VerityHasher {
  return new VerityHasher(settings.algorithm, { keepTree: settings.protection === "offline" });
}

function openDraftFile(directory: string): { fd: number; temporaryPath: string | undefined } {
  let fd: number | undefined;
  try {
    fd = openUnnamedFile(directory, FILE_MODE);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    makeObjectDirectory(directory);
    fd = openUnnamedFile(directory, FILE_MODE);
  }
  if (fd !== undefined) return { fd, temporaryPath: undefined };
  const temporaryPath = temporaryObjectPath(directory);
  return { fd: openSync(temporaryPath, "wx+", FILE_MODE), temporaryPath };
}

/**
 * The repository itself is not made: it may be a staged one that is being removed by a process that was told to end
 * while its threads still work.
 */
export function makeObjectDirectory(path: string): void {
  try {
    mkdirSync(path, DIRECTORY_MODE);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  }
}

function temporaryObjectPath(directory: string): string {
  return join(directory, `${TEMPORARY_OBJECT_PREFIX}${randomBytes(6).toString("hex")}`);
}
