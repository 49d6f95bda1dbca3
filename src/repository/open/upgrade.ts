/** Repositories older than meta.json (spec/repository.md 2.1). */

import { closeSync, readSync } from "node:fs";
import { join } from "node:path";
import { hasErrno, SealrootError } from "../../errors/index.ts";
import {
  type ObjectSettings,
  objectFilePath,
  openObject,
  openRegularFile,
  sortedEntries,
} from "../../objects/index.ts";
import { measureVerity } from "../../platform/index.ts";
import { readSplitStream } from "../../splitstream/index.ts";
import type { VerityAlgorithm } from "../../verity/index.ts";
import { LinkStore } from "../link-store.ts";
import { type ErofsVersion, formatMeta } from "../meta.ts";
import { createMetaFile } from "./meta-file.ts";

/** File name lengths below `objects/xx/`: the digest without its first two digits. */
const ALGORITHM_OF_NAME_LENGTH: Readonly<Record<number, VerityAlgorithm>> = { 62: "sha256", 126: "sha512" };

/** The composefs header's version field: 2 means the second layout (spec/erofs.md 0, 1.1). */
const COMPOSEFS_VERSION_OFFSET = 12;

/**
 * Writes the meta.json that a repository without one should have: the algorithm by the length of an object's name,
 * secure if that object has fs-verity, and the EROFS version its images are made in.
 *
 * The reference tool treats every such repository as version 1 and then does not find images it recorded as version 2;
 * here version 2 is recognised by its traces.
 *
 * @returns false when there is no `objects/`, so this is not a repository at all
 * @throws SealrootError `corrupt` when there is no object to tell the algorithm from
 */
export function upgradeOldRepository(path: string): boolean {
  const inferred = inferOldMeta(path);
  if (inferred === undefined) return false;
  const { algorithm, version, protection } = inferred;
  createMetaFile(path, formatMeta(algorithm, { default: version, extra: [] }), algorithm, protection);
  return true;
}

export interface InferredMeta {
  readonly algorithm: VerityAlgorithm;
  readonly version: ErofsVersion;
  readonly protection: "secure" | "insecure";
}

/**
 * What {@link upgradeOldRepository} writes down; writes nothing.
 * @returns undefined and throws as that
 */
export function inferOldMeta(path: string): InferredMeta | undefined {
  if (!sortedEntries(path).some((entry) => entry.name === "objects" && entry.isDirectory())) return undefined;
  const first = firstObject(path);
  if (first === undefined) {
    throw new SealrootError(
      "corrupt",
      `Cannot upgrade repository ${path}: it has no meta.json and no object to tell the algorithm from`,
      {
        path,
      },
    );
  }
  const protection = first.hasVerity ? "secure" : "insecure";
  const settings: ObjectSettings = { directory: join(path, "objects"), algorithm: first.algorithm, protection };
  return { algorithm: first.algorithm, protection, version: hasVersion2Traces(path, settings) ? 2 : 1 };
}

function firstObject(path: string): { algorithm: VerityAlgorithm; hasVerity: boolean } | undefined {
  for (const directory of sortedEntries(join(path, "objects"))) {
    if (!directory.isDirectory() || !/^[0-9a-f]{2}$/.test(directory.name)) continue;
    for (const file of sortedEntries(join(path, "objects", directory.name))) {
      const algorithm = ALGORITHM_OF_NAME_LENGTH[file.name.length];
      if (algorithm === undefined || !file.isFile() || !/^[0-9a-f]+$/.test(file.name)) continue;
      const fd = openRegularFile(join(path, "objects", directory.name, file.name));
      try {
        return { algorithm, hasVerity: measureVerity(fd).state === "enabled" };
      } finally {
        closeSync(fd);
      }
    }
  }
  return undefined;
}

/** An image of version 2 on the list, or a config stream that records one (key `composefs.image` without `.v1`). */
function hasVersion2Traces(path: string, settings: ObjectSettings): boolean {
  const nothing = () => {};
  const writing = { assertWritable: nothing, sync: nothing, syncDirectory: nothing };
  const context = { path, algorithm: settings.algorithm, ...writing };
  const images = new LinkStore("images", context).entries();
  if (images.some(({ objectId }) => ifReadable(() => imageVersion(settings, objectId)) === 2)) return true;
  const configs = new LinkStore("streams", context).entries().filter(({ entry }) => entry.startsWith("oci-config-"));
  return configs.some(
    ({ objectId }) => ifReadable(() => configNames(settings, objectId))?.some(isVersion2Key) ?? false,
  );
}

function configNames(settings: ObjectSettings, objectId: string): string[] {
  using object = openObject(settings, objectId);
  return [...readSplitStream(object.bytes(), { algorithm: settings.algorithm }).namedRefs.keys()];
}

/** Missing or damaged parts tell nothing, and do not stop the upgrade: fsck reports them. */
function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SealrootError || hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** `composefs.image`, `composefs.image.boot` and the latter with an xattr mode; the version 1 keys have `.v1` (spec/oci.md 1). */
function isVersion2Key(name: string): boolean {
  return /^composefs\.image(\.boot)?(\.xattrs=.*)?$/.test(name);
}

function imageVersion(settings: ObjectSettings, objectId: string): ErofsVersion | undefined {
  const header = Buffer.alloc(COMPOSEFS_VERSION_OFFSET + 4);
  const fd = openRegularFile(objectFilePath(settings, objectId));
  try {
    if (readSync(fd, header, 0, header.length, 0) < header.length) return undefined;
  } finally {
    closeSync(fd);
  }
  const version = header.readUInt32LE(COMPOSEFS_VERSION_OFFSET);
  return version === 0 || version === 1 || version === 2 ? version : undefined;
}
