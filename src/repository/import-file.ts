/** Taking over a file that exists: sharing its blocks or its inode instead of copying it (spec/repository.md 3.2). */
import { fstatSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { hasErrno } from "../errors/index.ts";
import { linkOpenFile, measureVerity } from "../platform/index.ts";
import { ObjectDraft, type StoredObject } from "./object-draft.ts";
import { verityNeeded, verityOn } from "./object-protection.ts";
import { type ObjectSettings, objectFilePath } from "./object-settings.ts";

/** Below this, one write is less work than a clone that has to be read again. */
export const CLONE_MIN_BYTES = 64 << 10;

/** File systems, by device, whose blocks the objects of a directory cannot share: asked once, not for each file. */
const withoutClones = new Set<string>();

/**
 * Makes an object of an open file by sharing its blocks. What is hashed is the clone, so that a file that changes
 * meanwhile does no harm.
 *
 * @param buffer for reading
 * @returns undefined where the file systems cannot share blocks
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

/** Why a file stays its own: another file system, someone writing to it, no right to change it, too many links. */
const NOT_LINKABLE = ["EXDEV", "ETXTBSY", "EACCES", "EPERM", "EROFS", "EMLINK"];

/**
 * Makes an object of an open file by giving its inode a second name. The file gets fs-verity where it lies and can never
 * be written again: without that, whoever writes to it would change the object.
 *
 * @param fd open for reading
 * @param objectId digest of its content; the kernel is asked whether it still has it
 * @returns false when it has to be copied
 * @throws SealrootError `untrusted` when the content has changed
 */
export function linkFile(settings: ObjectSettings, fd: number, objectId: string): boolean {
  if (!verityNeeded(settings)) return false;
  const path = objectFilePath(settings, objectId);
  mkdirSync(dirname(path), { recursive: true });
  // Asked before the file is changed for good.
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
