/** Writing meta.json: complete, durable and, in a secure repository, with fs-verity before it has a name (spec/repository.md 2). */

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { hasErrno, SealrootError } from "../../errors/index.ts";
import type { Protection } from "../../objects/index.ts";
import {
  enableVerity,
  isVerityUnsupported,
  linkOpenFile,
  openUnnamedFile,
  renameNoReplace,
  reopenForReading,
  syncDirectory,
} from "../../platform/index.ts";
import { ALGORITHM_NUMBER, ext4VerityTail, type VerityAlgorithm, VerityHasher } from "../../verity/index.ts";

/** Prefix of its temporary name, if the file system has no unnamed files. */
export const TEMPORARY_META_PREFIX = ".meta.json.";

/**
 * Creates `<directory>/meta.json`.
 * @returns false if there is one already
 * @throws SealrootError `unsupported` when it must be secure and the file system has no fs-verity
 */
export function createMetaFile(
  directory: string,
  text: string,
  algorithm: VerityAlgorithm,
  protection: Protection,
): boolean {
  return writeMetaFile(directory, text, algorithm, protection, false);
}

/**
 * As {@link createMetaFile}, in the place of one that is there: at every moment the name has the old one or the new.
 * @throws SealrootError `unsupported` as createMetaFile
 */
export function replaceMetaFile(
  directory: string,
  text: string,
  algorithm: VerityAlgorithm,
  protection: Protection,
): void {
  writeMetaFile(directory, text, algorithm, protection, true);
}

function writeMetaFile(
  directory: string,
  text: string,
  algorithm: VerityAlgorithm,
  protection: Protection,
  replace: boolean,
): boolean {
  const temporary = join(directory, `${TEMPORARY_META_PREFIX}${randomBytes(6).toString("hex")}`);
  const unnamedFd = openUnnamedFile(directory, 0o644);
  let fd = unnamedFd ?? openSync(temporary, "wx+", 0o644);
  try {
    writeMeta(fd, Buffer.from(text), algorithm, protection);
    fsyncSync(fd);
    if (protection === "secure") {
      // fs-verity can be enabled only when no writable descriptor is left.
      const readOnlyFd = reopenForReading(fd);
      closeSync(fd);
      fd = readOnlyFd;
      secureMeta(fd, directory, algorithm);
    }
    const path = join(directory, "meta.json");
    if (replace) {
      if (unnamedFd !== undefined) linkOpenFile(fd, temporary);
      renameSync(temporary, path);
    } else if (unnamedFd === undefined) renameNoReplace(temporary, path);
    else linkOpenFile(fd, path);
    if (protection !== "offline") syncDirectory(directory);
    return true;
  } catch (error) {
    if (hasErrno(error, "EEXIST")) return false;
    throw error;
  } finally {
    closeSync(fd);
    if (unnamedFd === undefined || replace) rmSync(temporary, { force: true });
  }
}

function writeMeta(fd: number, bytes: Buffer, algorithm: VerityAlgorithm, protection: Protection): void {
  writeSync(fd, bytes);
  if (protection !== "offline") return;
  const tail = ext4VerityTail(new VerityHasher(algorithm, { keepTree: true }).update(bytes));
  writeSync(fd, tail.bytes, 0, tail.bytes.length, tail.offset);
}

function secureMeta(readOnlyFd: number, directory: string, algorithm: VerityAlgorithm): void {
  try {
    enableVerity(readOnlyFd, ALGORITHM_NUMBER[algorithm]);
  } catch (error) {
    if (!isVerityUnsupported(error)) throw error;
    throw new SealrootError(
      "unsupported",
      `Cannot initialize repository ${directory}: the file system does not support fs-verity`,
      { path: directory, hint: "use ext4 made with -O verity, btrfs, or the option --insecure" },
      error,
    );
  }
}
