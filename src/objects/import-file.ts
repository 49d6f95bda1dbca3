/** Adopting an existing file: sharing its blocks or its inode instead of copying it (spec/repository.md 3.2). */
import { closeSync, fstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { asSealrootError, hasErrno } from "../errors/index.ts";
import { cloneBlocks, linkOpenFile, measureVerity, openUnnamedFile } from "../platform/index.ts";
import { makeObjectDirectory, ObjectDraft, type StoredObject } from "./object-draft.ts";
import { verityNeeded, verityOn } from "./object-protection.ts";
import { type ObjectSettings, objectFilePath } from "./object-settings.ts";

/** Below this, one write is less work than a clone that has to be read again. */
export const CLONE_MIN_BYTES = 64 << 10;

/** File systems, by device, whose blocks the objects of a directory cannot share: asked once, not for each file. */
const withoutClones = new Set<string>();

/**
 * Makes an object of an open file by sharing its blocks. The clone is hashed, so a file that changes meanwhile does no
 * harm.
 *
 * @param buffer for reading
 * @returns undefined if the file systems cannot share blocks
 */
export function cloneFile(settings: ObjectSettings, fd: number, buffer: Buffer): StoredObject | undefined {
  const pair = `${fstatSync(fd).dev}:${settings.directory}`;
  if (withoutClones.has(pair)) return undefined;
  const draft = new ObjectDraft(settings);
  try {
    if (draft.clone(fd, buffer)) return draft.finish();
    withoutClones.add(pair);
    return undefined;
  } finally {
    draft.abort();
  }
}

/**
 * A file without a name beside the objects that shares the blocks of an open file.
 *
 * @returns its descriptor, which the caller closes; undefined if the file systems cannot do that, or if the file is not
 *   `sizeBytes` long
 */
export function cloneUnnamed(settings: ObjectSettings, fd: number, sizeBytes: number): number | undefined {
  const { directory } = settings;
  const pair = `${fstatSync(fd).dev}:${directory}`;
  if (withoutClones.has(pair)) return undefined;
  let cloneFd: number | undefined;
  try {
    makeObjectDirectory(directory);
    cloneFd = openUnnamedFile(directory, 0o600);
    if (cloneFd === undefined || !cloneBlocks(fd, cloneFd)) withoutClones.add(pair);
    else if (fstatSync(cloneFd).size === sizeBytes) return cloneFd;
  } catch (error) {
    if (cloneFd !== undefined) closeSync(cloneFd);
    throw asSealrootError(error, "Cannot create an object", { path: directory });
  }
  if (cloneFd !== undefined) closeSync(cloneFd);
  return undefined;
}

/** Why a file cannot be linked: another file system, someone writing to it, no right to change it, too many links. */
const NOT_LINKABLE = ["EXDEV", "ETXTBSY", "EACCES", "EPERM", "EROFS", "EMLINK"];

/**
 * Makes an object of an open file by hard-linking its inode. The file gets fs-verity in place and can never be written
 * again: otherwise writing to it would change the object.
 *
 * @param fd open for reading
 * @param objectId digest of its content; the kernel is asked whether it still has it
 * @returns false when it has to be copied
 * @throws SealrootError `untrusted` when the content has changed
 */
export function linkFile(settings: ObjectSettings, fd: number, objectId: string): boolean {
  if (!verityNeeded(settings)) return false;
  const path = objectFilePath(settings, objectId);
  makeObjectDirectory(settings.directory);
  makeObjectDirectory(dirname(path));
  // Checked before the file is changed for good.
  if (fstatSync(fd).dev !== statSync(dirname(path)).dev) return false;
  try {
    verityOn(settings, fd, objectId);
    if (measureVerity(fd).state !== "enabled") return false;
    linkOpenFile(fd, path);
    return true;
  } catch (error) {
    if (hasErrno(error, "EEXIST")) return true;
    if (NOT_LINKABLE.some((code) => hasErrno(error, code))) return false;
    throw error;
  }
}
