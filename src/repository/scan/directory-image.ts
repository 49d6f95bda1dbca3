/**
 * From a directory to the tree and the EROFS image that composefs makes from it (spec/oci.md 5, spec/repository.md 10).
 */
import { type ErofsLayout, layOutErofs } from "../../erofs/index.ts";
import type { StepReporter } from "../../events/index.ts";
import { collectGarbage } from "../../platform/index.ts";
import { type BootTimes, composePlainTree, type DirectoryNode, makeBootable } from "../../tree/index.ts";
import { type VerityAlgorithm, verityDigestOfPieces } from "../../verity/index.ts";
import type { ErofsVersion } from "../meta.ts";
import type { Repository } from "../repository.ts";
import { scanDirectory } from "./scan-directory.ts";

export interface DirectoryTreeOptions {
  readonly algorithm: VerityAlgorithm;
  /** Where contents are stored; if absent, only digests. */
  readonly repository?: Repository;
  /** Also empty /boot and /sysroot and label everything by the image's own policy. */
  readonly bootable?: boolean;
  /** Of the bootable variant; the current rule if absent. */
  readonly bootTimes?: BootTimes;
  /** False: the tree unchanged, without any transform. */
  readonly transform?: boolean;
  readonly keepUserXattrs?: boolean;
  /** As in {@link ScanOptions}. */
  readonly linkFiles?: boolean;
  readonly reporter?: StepReporter;
}

/**
 * Scans a directory and transforms the tree like the layers of an image: the result's digest is that of an image with
 * these layers.
 *
 * @throws SealrootError `unsupported` when a directory that the transforms need is missing
 */
export async function directoryTree(path: string, options: DirectoryTreeOptions): Promise<DirectoryNode> {
  const { algorithm, repository, reporter } = options;
  const { root, readContent } = await scanDirectory(path, {
    algorithm,
    linkFiles: options.linkFiles ?? false,
    ...(repository === undefined ? {} : { repository }),
    ...(reporter === undefined ? {} : { reporter }),
  });
  if (options.transform !== false) composePlainTree(root, options.keepUserXattrs);
  if (options.bootable === true) makeBootable(root, readContent, options.bootTimes);
  return root;
}

/** The EROFS image of a tree, in the repositories' form of this version. */
export function imageOfTree(root: DirectoryNode, algorithm: VerityAlgorithm, version: ErofsVersion): ErofsLayout {
  // Nothing takes more memory than the tree and its inodes: not beside those of the image before, or the layers.
  collectGarbage();
  return layOutErofs(root, { form: `v${version}`, algorithm });
}

/** The id of that image: the fs-verity digest that it has as a file. */
export function imageIdOfTree(root: DirectoryNode, algorithm: VerityAlgorithm, version: ErofsVersion): string {
  return verityDigestOfPieces(imageOfTree(root, algorithm, version).pieces(), algorithm);
}

/** Stores the EROFS image of a tree; it is not put on the list of images. @returns its id */
export function storeTreeImage(repository: Repository, root: DirectoryNode, version: ErofsVersion): string {
  return repository.objects.ensurePieces(imageOfTree(root, repository.algorithm, version).pieces());
}

/**
 * Stores the images of a tree, one for each EROFS version of the repository.
 *
 * @param referenceName given to the image of the default version
 * @returns the id of that image
 */
export function storeTreeImages(repository: Repository, root: DirectoryNode, referenceName?: string): string {
  const { formats } = repository;
  const main = repository.listImage(storeTreeImage(repository, root, formats.default), referenceName);
  for (const version of formats.extra) repository.listImage(storeTreeImage(repository, root, version));
  return main.objectId;
}
