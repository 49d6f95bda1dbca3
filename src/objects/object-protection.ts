/**
 * fs-verity of object files: switched on when an object is made, checked when one is found (spec/repository.md 3.1,
 * 3.3).
 */
import { closeSync, fstatSync, lstatSync, readSync } from "node:fs";
import { toHex } from "../bytes/index.ts";
import { corrupt, hasErrno, SealrootError } from "../errors/index.ts";
import { enableVerity, isVerityUnsupported, measureVerity, type VerityState } from "../platform/index.ts";
import {
  ALGORITHM_NUMBER,
  BLOCK_SIZE_BYTES,
  readExt4VerityDescriptor,
  type VerityDescriptor,
} from "../verity/index.ts";
import { type ObjectSettings, objectFilePath } from "./object-settings.ts";
import { openRegularFile } from "./regular-file.ts";

/** Attempts while a process forked elsewhere in this program still holds the writable descriptor, and their pauses. */
const BUSY_ATTEMPTS = 200;
const BUSY_PAUSE_MS = 5;

/** Directories whose file system was found to have no fs-verity, so that each object does not ask again. */
const directoriesWithoutVerity = new Set<string>();

/** False when enabling fs-verity is known to be futile. */
export function verityNeeded(settings: ObjectSettings): boolean {
  if (settings.protection === "offline") return false;
  return settings.protection === "secure" || !directoriesWithoutVerity.has(settings.directory);
}

/**
 * Enables fs-verity on the file and compares the kernel's digest. In an insecure repository a file system without
 * support is tolerated.
 *
 * @param fd open for reading only
 * @throws SealrootError `unsupported` in a secure repository, `corrupt` when the digests differ
 */
export function verityOn(settings: ObjectSettings, fd: number, objectId: string): void {
  try {
    enableWhenFree(settings, fd);
  } catch (error) {
    if (!isVerityUnsupported(error)) throw error;
    if (settings.protection === "secure") throw verityUnsupported(settings, error);
    directoriesWithoutVerity.add(settings.directory);
    return;
  }
  const measured = measureVerity(fd);
  if (!isDigestOf(measured, settings, objectId)) throw otherDigest(settings, objectId, measured);
}

function enableWhenFree(settings: ObjectSettings, fd: number): void {
  for (let attempt = 1; ; attempt++) {
    try {
      enableVerity(fd, ALGORITHM_NUMBER[settings.algorithm]);
      return;
    } catch (error) {
      if (hasErrno(error, "EEXIST")) return;
      // A child forked between open and close of the writable descriptor holds a copy until it calls exec.
      if (!hasErrno(error, "ETXTBSY") || attempt === BUSY_ATTEMPTS) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_PAUSE_MS);
    }
  }
}

/**
 * What is known about an object that is about to be stored.
 *
 * `damaged`: the name is there but not the content: a short file that a power cut left (only if names are trusted). Its
 * bytes are in memory, so it is replaced.
 *
 * @throws SealrootError `untrusted` in a secure repository for a file without fs-verity or with another digest
 */
export function stateOfExistingObject(
  settings: ObjectSettings,
  objectId: string,
  sizeBytes: number,
): "absent" | "good" | "damaged" {
  const path = objectFilePath(settings, objectId);
  // Usually it is not there: this way no error is created, which would cost more than the call.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return "absent";
  let fd: number;
  try {
    fd = openRegularFile(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "absent";
    throw error;
  }
  try {
    if (settings.protection === "secure") {
      requireObjectVerity(settings, fd, objectId);
      return "good";
    }
    if (settings.protection === "offline") {
      return readOfflineDescriptor(fd, objectId).sizeBytes === sizeBytes ? "good" : "damaged";
    }
    if (fstatSync(fd).size !== sizeBytes) return "damaged";
    if (verityNeeded(settings)) verityOn(settings, fd, objectId);
    return "good";
  } finally {
    closeSync(fd);
  }
}

/**
 * Checks an opened object as the repository's protection demands: secure: the kernel's digest is the name; insecure:
 * the same if the file has fs-verity, otherwise nothing; offline: the descriptor after the data.
 *
 * @returns the length of the object's data
 * @throws SealrootError `untrusted`, `corrupt`
 */
export function checkOpenedObject(settings: ObjectSettings, fd: number, objectId: string): number {
  if (settings.protection === "offline") return readOfflineDescriptor(fd, objectId).sizeBytes;
  if (settings.protection === "secure") requireObjectVerity(settings, fd, objectId);
  else {
    const measured = measureVerity(fd);
    if (measured.state === "enabled" && !isDigestOf(measured, settings, objectId)) {
      throw otherDigest(settings, objectId, measured);
    }
  }
  return fstatSync(fd).size;
}

function requireObjectVerity(settings: ObjectSettings, fd: number, objectId: string): void {
  const measured = measureVerity(fd);
  if (measured.state === "enabled") {
    if (isDigestOf(measured, settings, objectId)) return;
    throw otherDigest(settings, objectId, measured);
  }
  throw new SealrootError(
    "untrusted",
    `Cannot use object ${objectId}: it has no fs-verity, which this repository requires`,
    {
      path: objectFilePath(settings, objectId),
      expected: "fs-verity enabled",
      actual: measured.state,
    },
  );
}

/**
 * The fs-verity descriptor that a staged object carries in its last block.
 * @throws SealrootError `corrupt`
 */
export function readOfflineDescriptor(fd: number, objectId?: string): VerityDescriptor {
  const fileBytes = fstatSync(fd).size;
  if (fileBytes < BLOCK_SIZE_BYTES || fileBytes % BLOCK_SIZE_BYTES !== 0) {
    throw corrupt(`Cannot read a staged object: a length of ${fileBytes} bytes cannot end with verity metadata`);
  }
  const block = Buffer.alloc(BLOCK_SIZE_BYTES);
  readSync(fd, block, 0, BLOCK_SIZE_BYTES, fileBytes - BLOCK_SIZE_BYTES);
  const descriptor = readExt4VerityDescriptor(block);
  if (objectId !== undefined && descriptor.digest !== objectId) {
    throw corrupt(`Cannot use object ${objectId}: its verity descriptor has another digest`, {
      expected: objectId,
      actual: descriptor.digest,
    });
  }
  return descriptor;
}

/**
 * Length of the data of a staged file.
 * @param objectId whose digest it must have; undefined for a file that is not an object
 * @throws SealrootError `corrupt`
 */
export function offlineSizeBytes(path: string, objectId: string | undefined): number {
  const fd = openRegularFile(path);
  try {
    return readOfflineDescriptor(fd, objectId).sizeBytes;
  } finally {
    closeSync(fd);
  }
}

function isDigestOf(measured: VerityState, settings: ObjectSettings, objectId: string): boolean {
  if (measured.state !== "enabled") return false;
  return measured.algorithmNumber === ALGORITHM_NUMBER[settings.algorithm] && toHex(measured.digest) === objectId;
}

function otherDigest(settings: ObjectSettings, objectId: string, measured: VerityState): SealrootError {
  const actual = measured.state === "enabled" ? toHex(measured.digest) : measured.state;
  return new SealrootError(
    "untrusted",
    `Cannot use object ${objectId}: the kernel measures another digest, ${actual}`,
    {
      path: objectFilePath(settings, objectId),
      expected: objectId,
      actual,
    },
  );
}

function verityUnsupported(settings: ObjectSettings, cause: unknown): SealrootError {
  return new SealrootError(
    "unsupported",
    "Cannot write an object: this file system does not support fs-verity, which the repository requires",
    { path: settings.directory, hint: "use ext4 made with -O verity, btrfs, or an insecure repository" },
    cause,
  );
}
