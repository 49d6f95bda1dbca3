/** Opening a repository (spec/repository.md 2, 9). */

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join, resolve } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { openRegularFile, type Protection, readOfflineDescriptor } from "../../objects/index.ts";
import { measureVerity, waitForLock } from "../../platform/index.ts";
import { ALGORITHM_NUMBER, type VerityAlgorithm } from "../../verity/index.ts";
import { type ErofsVersion, formatMeta, parseMeta, type RepositoryMeta } from "../meta.ts";
import { META_FILE } from "../names.ts";
import { requireOwnDirectories } from "../own-directory.ts";
import { Repository } from "../repository.ts";
import { inferOldMeta, upgradeOldRepository } from "./upgrade.ts";

export interface OpenOptions {
  /** The hash the caller expects; another is a conflict. */
  readonly algorithm?: VerityAlgorithm;
  /** Refuse a repository that is not secure. */
  readonly requireVerity?: boolean;
  /** Treat a secure repository as insecure just this time. */
  readonly insecure?: boolean;
  /** Make images only in this version, just this time. */
  readonly erofsVersion?: ErofsVersion;
  /**
   * False: refuse a repository older than meta.json instead of writing one. `in-memory`: read it as if one had been written,
   * and write nothing.
   */
  readonly upgrade?: boolean | "in-memory";
  /** The repository is being staged for a disk image; see {@link Protection}. */
  readonly offlineVerity?: boolean;
  /** It will be removed before its process ends, whatever happens: nothing in it is made durable. */
  readonly isTemporary?: boolean;
}

/** More than any real meta.json; bounds memory. */
const META_MAX_BYTES = 1 << 20;

/**
 * Opens an existing repository and takes the shared lock, waiting while a gc runs.
 *
 * @throws SealrootError `not-found` without a repository; `corrupt`, `unsupported` for its meta.json; `conflict` for
 *   another algorithm than expected; `untrusted` when verity is required and absent
 */
export async function openRepository(path: string, options: OpenOptions = {}): Promise<Repository> {
  const absolute = resolve(path);
  const directoryFd = openDirectory(absolute);
  try {
    await waitForLock(directoryFd, "shared");
    requireOwnDirectories(absolute);
    const read = readMeta(absolute, options) ?? upgradeIfOld(absolute, options);
    const meta = withVersion(read.meta, options.erofsVersion);
    if (options.algorithm !== undefined && options.algorithm !== meta.algorithm) {
      throw new SealrootError(
        "conflict",
        `Cannot open repository ${absolute}: it is configured for ${meta.algorithm} but ${options.algorithm} was requested`,
        { path: absolute, expected: options.algorithm, actual: meta.algorithm },
      );
    }
    if (options.requireVerity === true && read.protection === "insecure") {
      throw new SealrootError("untrusted", `Cannot open repository ${absolute}: its meta.json has no fs-verity`, {
        path: join(absolute, META_FILE),
        hint: "the repository was initialized insecurely; make a new one on a file system with fs-verity",
      });
    }
    const protection = options.insecure === true && read.protection === "secure" ? "insecure" : read.protection;
    const isTemporary = options.isTemporary === true;
    return new Repository({ path: absolute, directoryFd, meta, protection, isTemporary });
  } catch (error) {
    closeSync(directoryFd);
    throw error;
  }
}

interface ReadMeta {
  readonly meta: RepositoryMeta;
  readonly protection: Protection;
}

function openDirectory(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw asSealrootError(error, `Cannot open repository ${path}`, { path });
    const hint = `sealroot repo init ${path} makes one; --repo names another`;
    throw new SealrootError("not-found", `Cannot open repository ${path}: there is no such directory`, { path, hint });
  }
}

/**
 * Reads meta.json through one descriptor, so that what was measured is what is parsed.
 * @returns undefined when there is none
 */
export function readMeta(path: string, options: Pick<OpenOptions, "offlineVerity"> = {}): ReadMeta | undefined {
  const file = join(path, META_FILE);
  let fd: number;
  try {
    fd = openRegularFile(file);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw asSealrootError(error, `Cannot open repository ${path}`, { path: file });
  }
  try {
    const sizeBytes = options.offlineVerity === true ? readOfflineDescriptor(fd).sizeBytes : fstatSync(fd).size;
    if (sizeBytes > META_MAX_BYTES)
      throw new SealrootError("corrupt", `Cannot open repository ${path}: meta.json is too large`);
    const text = Buffer.alloc(sizeBytes);
    const length = readSync(fd, text, 0, sizeBytes, 0);
    const meta = parseMeta(text.toString("utf8", 0, length));
    const protection = options.offlineVerity === true ? "offline" : protectionOf(fd, meta);
    return { meta, protection };
  } catch (error) {
    throw asSealrootError(error, `Cannot open repository ${path}`, { path: file });
  } finally {
    closeSync(fd);
  }
}

/** Secure if, and only if, meta.json itself has fs-verity with the repository's algorithm (spec/repository.md 2). */
function protectionOf(fd: number, meta: RepositoryMeta): Protection {
  const measured = measureVerity(fd);
  const secure = measured.state === "enabled" && measured.algorithmNumber === ALGORITHM_NUMBER[meta.algorithm];
  return secure ? "secure" : "insecure";
}

function upgradeIfOld(path: string, options: OpenOptions): ReadMeta {
  if (options.upgrade === "in-memory") {
    const inferred = inferOldMeta(path);
    if (inferred !== undefined) {
      const { algorithm, protection, version } = inferred;
      return { meta: parseMeta(formatMeta(algorithm, { default: version, extra: [] })), protection };
    }
  }
  const upgraded = options.upgrade !== false && options.offlineVerity !== true && upgradeOldRepository(path);
  const read = upgraded ? readMeta(path) : undefined;
  if (read !== undefined) return read;
  throw new SealrootError("not-found", `Cannot open repository ${path}: it has no meta.json and must be initialized`, {
    path,
    hint: `sealroot repo init ${path}`,
  });
}

function withVersion(meta: RepositoryMeta, version: ErofsVersion | undefined): RepositoryMeta {
  return version === undefined ? meta : { ...meta, formats: { default: version, extra: [] } };
}
