/** Creating a repository (spec/repository.md 2). */

import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import type { Protection } from "../../objects/index.ts";
import { makeDirectory } from "../../platform/index.ts";
import type { VerityAlgorithm } from "../../verity/index.ts";
import { type ErofsVersion, formatMeta, type RepositoryMeta } from "../meta.ts";
import { META_FILE } from "../names.ts";
import type { Repository } from "../repository.ts";
import { createMetaFile } from "./meta-file.ts";
import { type OpenOptions, openRepository, readMeta } from "./open.ts";
import { upgradeOldRepository } from "./upgrade.ts";

export interface InitOptions {
  /** sha512 when absent, as the command line and bootc. */
  readonly algorithm?: VerityAlgorithm;
  /** Version 1 if absent. */
  readonly erofsVersion?: ErofsVersion;
  /** `secure` if absent: refused if the file system has no fs-verity. */
  readonly protection?: Protection;
  /** Accept an existing repository as it is; only another algorithm is refused. */
  readonly ensure?: boolean;
  /** Delete streams, images and meta.json first; objects are kept. */
  readonly resetMetadata?: boolean;
  /** As in {@link OpenOptions}. */
  readonly isTemporary?: boolean;
}

export interface InitResult {
  readonly repository: Repository;
  /** False when the repository was already there with the same settings (or with any, under `ensure`). */
  readonly created: boolean;
}

/**
 * Creates a repository, or opens one that was created with the same settings. Directories above it are made as
 * needed; the repository's own gets mode 0700 when it is made here.
 *
 * @throws SealrootError `conflict` when a repository with other settings is there; `unsupported` without fs-verity
 */
export async function initRepository(path: string, options: InitOptions = {}): Promise<InitResult> {
  const absolute = resolve(path);
  const algorithm = options.algorithm ?? "sha512";
  const protection = options.protection ?? "secure";
  const wanted: RepositoryMeta = {
    algorithm,
    formats: { default: options.erofsVersion ?? 1, extra: [] },
    unknownReadOnlyFeatures: [],
  };
  let created = false;
  try {
    makeRepositoryDirectory(absolute);
    if (options.resetMetadata === true) resetMetadata(absolute);
    // An old repository is accepted as it is, but only with `ensure`, since init names settings.
    if (options.ensure === true && !existsSync(join(absolute, META_FILE))) upgradeOldRepository(absolute);
    if (!existsSync(join(absolute, META_FILE))) {
      created = createMetaFile(absolute, formatMeta(algorithm, wanted.formats), algorithm, protection);
    }
  } catch (error) {
    throw asSealrootError(error, `Cannot initialize repository ${absolute}`, { path: absolute });
  }
  const offlineVerity = protection === "offline";
  const existing = created ? undefined : readMeta(absolute, { offlineVerity });
  if (existing !== undefined) {
    const ensure = options.ensure === true;
    requireSameSettings(absolute, existing.meta, wanted, ensure);
    if (protection === "secure" && existing.protection !== "secure" && !ensure) throw isInsecure(absolute);
  }
  const isTemporary = options.isTemporary === true;
  const repository = await openRepository(absolute, { algorithm, offlineVerity, isTemporary });
  return { repository, created };
}

function makeRepositoryDirectory(path: string): void {
  try {
    makeDirectory(path, 0o700);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    mkdirSync(join(path, ".."), { recursive: true });
    makeDirectory(path, 0o700);
  }
  if (!statSync(path).isDirectory())
    throw new SealrootError("exists", `Cannot initialize repository ${path}: it is not a directory`);
}

/** References first: a crash in the middle leaves no dangling ones. */
function resetMetadata(path: string): void {
  const names = ["streams/refs", "streams", "images/refs", "images", META_FILE];
  for (const name of names) rmSync(join(path, name), { recursive: true, force: true });
}

function requireSameSettings(path: string, existing: RepositoryMeta, wanted: RepositoryMeta, ensure: boolean): void {
  const sameAlgorithm = existing.algorithm === wanted.algorithm;
  if (sameAlgorithm && (ensure || settingsText(existing) === settingsText(wanted))) return;
  throw new SealrootError(
    "conflict",
    `Cannot initialize repository ${path}: it exists with ${settingsText(existing)}, not with ${settingsText(wanted)}`,
    { path, expected: settingsText(wanted), actual: settingsText(existing) },
  );
}

function settingsText(meta: RepositoryMeta): string {
  const versions = [meta.formats.default, ...meta.formats.extra].join("+");
  return `fsverity-${meta.algorithm}-12, EROFS version ${versions}`;
}

function isInsecure(path: string): SealrootError {
  return new SealrootError(
    "conflict",
    `Cannot initialize repository ${path}: it exists and is insecure, its meta.json has no fs-verity`,
    {
      path,
      hint: "give --insecure to accept that, or make a new repository",
    },
  );
}
