/** What a word on the command line names, and how it is verified. */
import { type Stats, statSync } from "node:fs";
import { fileKindOf } from "../diff/index.ts";
import { SealrootError } from "../errors/index.ts";
import { manifestsBeginningWith, taggedManifest } from "../imagestore/index.ts";
import { onlyCandidate, type Repository } from "../repository/index.ts";
import { verifyDisk } from "./disk/verify-disk.ts";
import { verifyFetchedImage, verifyStoredImage } from "./image/verify-image.ts";
import type { VerifyOptions } from "./policy/options.ts";
import { verifyProgram } from "./program/verify-program.ts";
import type { VerifyReport } from "./report/report.ts";

const NEITHER = "it is neither a disk nor an EFI program";
const TRANSPORT = /^[a-z][a-z0-9-]*:/;

/**
 * Verifies what is meant: a disk file or device, an EFI program, a reference with its transport, or a name of the
 * repository.
 *
 * @throws SealrootError `not-found` when nothing has that name, `unsupported` for a file that is none of these; whatever
 *   keeps it from being read at all
 */
export async function verify(given: string, options: VerifyOptions): Promise<VerifyReport> {
  const { repository } = options;
  if (options.repositoryFirst === true && repository !== undefined) {
    const stored = storedName(given, repository);
    if (stored !== undefined) return await verifyStoredImage(stored, repository, options);
  }
  const stat = statSync(given, { throwIfNoEntry: false });
  if (stat !== undefined) return await verifyFile(given, stat, options);
  if (TRANSPORT.test(given)) return await verifyFetchedImage(given, options);
  const stored = repository && storedName(given, repository);
  if (repository !== undefined && stored !== undefined) return await verifyStoredImage(stored, repository, options);
  throw nothing(given, repository);
}

async function verifyFile(given: string, stat: Stats, options: VerifyOptions): Promise<VerifyReport> {
  const kind = fileKindOf(given, stat);
  switch (kind) {
    case "disk":
      return await verifyDisk(given, options);
    case "EFI program":
      return await verifyProgram(given, options);
    case "layout":
      throw unknown(given, "it is a directory", `write oci:${given}:TAG`);
    case "directory":
      throw unknown(given, "it is a directory");
    case "archive":
      throw unknown(given, NEITHER, `of an image in an archive, write oci-archive:${given} or docker-archive:${given}`);
    default:
      throw unknown(given, stat.isFile() ? NEITHER : "it is not a file");
  }
}

/** The image of a tag, or of the first digits of a digest. */
function storedName(name: string, repository: Repository): string | undefined {
  try {
    if (taggedManifest(repository, name) !== undefined || name.startsWith("@")) return name;
  } catch (error) {
    // A name that cannot be a tag may be the digits of a digest.
    if (!(error instanceof SealrootError && error.code === "usage")) throw error;
  }
  return onlyCandidate(name, manifestsBeginningWith(repository, name))?.digest;
}

function nothing(given: string, repository: Repository | undefined): SealrootError {
  const where = repository === undefined ? "" : ` and the repository ${repository.path} has no image of that name`;
  return new SealrootError("not-found", `Cannot verify ${given}: there is no such file${where}`, {
    path: given,
    hint:
      repository === undefined
        ? "name an image with its transport, such as oci:DIR:TAG, or give --repo for what a repository has"
        : "sealroot image list shows what there is",
  });
}

function unknown(given: string, reason: string, hint?: string): SealrootError {
  const data = { path: given, ...(hint === undefined ? {} : { hint }) };
  return new SealrootError("unsupported", `Cannot verify ${given}: ${reason}`, data);
}
