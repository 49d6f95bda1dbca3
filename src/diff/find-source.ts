/** What a word on the command line names. */
import { type Stats, statSync } from "node:fs";
import { SealrootError } from "../errors/index.ts";
import { findImage, manifestsBeginningWith, taggedManifest } from "../imagestore/index.ts";
import { parseReference } from "../oci/index.ts";
import { onlyCandidate, type Repository, readStoredTree } from "../repository/index.ts";
import { directorySource } from "./directory-source.ts";
import { diskSource } from "./disk-source.ts";
import { fileKindOf } from "./file-kind.ts";
import { dumpSource, erofsSource, imageSourceTree, ukiSource } from "./file-source.ts";
import { fetchImageTree, storedImageTree } from "./image-tree.ts";
import type { DiffOptions } from "./options.ts";
import type { Scratch } from "./scratch.ts";
import type { Source } from "./source.ts";

const NONE = "it is not an EROFS image, a UKI, a disk or a dump file";
const TRANSPORT = /^[a-z][a-z0-9-]*:/;

/**
 * Finds what is meant: a reference with its transport, a file or directory, or a name of the repository.
 *
 * @throws SealrootError `not-found` when nothing has that name, `unsupported` for a file that is none of these
 */
export async function findSource(given: string, options: DiffOptions, scratch: Scratch): Promise<Source> {
  const { repository } = options;
  if (options.repositoryFirst === true && repository !== undefined) {
    const stored = await storedSource(given, repository, options);
    if (stored !== undefined) return stored;
  }
  const stat = statSync(given, { throwIfNoEntry: false });
  if (stat !== undefined) return fileSource(given, stat, options, scratch);
  if (TRANSPORT.test(given)) {
    const reference = parseReference(given);
    return {
      ...{ given, kind: "image", algorithm: undefined, names: [] },
      read: async (algorithm) => fetchImageTree(reference, given, await scratch.repository(algorithm), options),
    };
  }
  const stored = repository && (await storedSource(given, repository, options));
  if (stored !== undefined) return stored;
  if (/^(?:[0-9a-f]{64}|[0-9a-f]{128})$/.test(given)) {
    const algorithm = given.length === 64 ? "sha256" : "sha512";
    const names = [{ id: given, algorithm, formatVersion: undefined }] as const;
    return { given, kind: "image id", algorithm, names, read: undefined };
  }
  throw nothing(given, repository);
}

function fileSource(given: string, stat: Stats, options: DiffOptions, scratch: Scratch): Source {
  switch (fileKindOf(given, stat)) {
    case "directory":
      return directorySource(given, options);
    case "layout":
      throw aLayout(given);
    case "EROFS image":
      return erofsSource(given, options);
    case "EFI program":
      return ukiSource(given, options);
    case "disk":
      return diskSource(given, options, scratch);
    case "dump file":
      return dumpSource(given, options);
    case "archive":
      throw unknown(given, NONE, `of an image in an archive, write oci-archive:${given} or docker-archive:${given}`);
    case "other":
      throw unknown(given, stat.isFile() ? NONE : "it is not a file or a directory");
  }
}

/** What a repository has under a name: an EROFS image by id or reference, or an OCI image by tag or digest. */
async function storedSource(given: string, repository: Repository, options: DiffOptions): Promise<Source | undefined> {
  const { algorithm } = repository;
  const found = { given, algorithm, names: [] } as const;
  const ofEntry = (entry: ReturnType<Repository["images"]["resolve"]>): Source => ({
    ...found,
    kind: "EROFS image",
    read: async () => imageSourceTree(readStoredTree(repository, entry), entry.objectId, options),
  });
  const ofImage = (name: string): Source => ({
    ...found,
    kind: "image",
    read: async () => storedImageTree(repository, await findImage(repository, name), given, options),
  });
  const named = namedEntry(repository, given);
  if (named !== undefined) return ofEntry(named);
  if (tagOf(repository, given) !== undefined || given.startsWith("@")) return ofImage(given);
  const candidates = [...repository.images.beginningWith(given), ...manifestsBeginningWith(repository, given)];
  const candidate = onlyCandidate(given, candidates);
  if (candidate === undefined) return undefined;
  return "entry" in candidate ? ofEntry(candidate) : ofImage(candidate.digest);
}

/** A name that cannot be a reference's may be something else. */
function namedEntry(repository: Repository, name: string) {
  return orUndefined(() => repository.images.named(name));
}

function tagOf(repository: Repository, name: string): string | undefined {
  return orUndefined(() => taggedManifest(repository, name));
}

function orUndefined<Value>(find: () => Value): Value | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof SealrootError && error.code === "usage") return undefined;
    throw error;
  }
}

function nothing(given: string, repository: Repository | undefined): SealrootError {
  const where = repository === undefined ? "" : ` and the repository ${repository.path} has nothing of that name`;
  return new SealrootError("not-found", `Cannot compare "${given}": there is no such file${where}`, {
    path: given,
    hint:
      repository === undefined
        ? "name an image with its transport, such as oci:DIR:TAG, or give --repo for what a repository has"
        : "sealroot image list and sealroot repo images show what there is",
  });
}

function aLayout(given: string): SealrootError {
  return unknown(given, "it is an OCI layout, not a root file system", `write oci:${given}:TAG`);
}

function unknown(given: string, reason: string, hint?: string): SealrootError {
  const data = { path: given, ...(hint === undefined ? {} : { hint }) };
  return new SealrootError("unsupported", `Cannot compare ${given}: ${reason}`, data);
}
