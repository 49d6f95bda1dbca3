/**
 * repository: the composefs repository on disk: streams, images, references, locks, gc, fsck (spec/repository.md).
 *
 *   open/   init, open, meta.json, old repositories      image/  an image out: read, mounted, unpacked
 *   scan/   a directory into a tree and an image         check/  fsck, repair, garbage collection
 *
 * At the top are the open repository itself, its links and references, its names and settings.
 *
 * A store above `objects/`, which holds the contents: may use the file system and `platform/`, and the format rooms
 * verity, tree, erofs and splitstream. Knows nothing of OCI: the names and meanings of streams belong to `imagestore/`.
 * @module
 */
export { damagedObjects, objectOfFinding } from "./check/damaged-objects.ts";
export { checkRepository, type FsckOptions } from "./check/fsck.ts";
export { brokenObjects, findHitReferences } from "./check/fsck-hits.ts";
export { type Finding, type FsckReport, findingText, fsckFullJson, fsckJson, fsckLines } from "./check/fsck-report.ts";
export { collectGarbage, type GcFailure, type GcOptions, type GcReport, gcLines, refuseFailures } from "./check/gc.ts";
export { neededObjects } from "./check/needed-objects.ts";
export { type RepairOptions, type RepairReport, repairRepository } from "./check/repair.ts";
export { type Published, WorkingCopy } from "./check/working-copy.ts";
export type { DerivedFiles } from "./derived-files.ts";
export { idPrefixOf, onlyCandidate } from "./id-prefix.ts";
export { type PrivilegedParts, privilegedPartsText } from "./image/extract-rights.ts";
export { type ExtractOptions, extractTree, fillDirectory } from "./image/extract-tree.ts";
export { storeForeignImage } from "./image/import-image.ts";
export { type MountImageOptions, mountImage } from "./image/mount-image.ts";
export { readStoredTree } from "./image/stored-tree.ts";
export { verifyImage } from "./image/verify-image.ts";
export type { LinkEntry } from "./link-store.ts";
export { type ErofsVersion, formatMeta, parseAlgorithm, parseMeta } from "./meta.ts";
export { type InitOptions, type InitResult, initRepository } from "./open/init.ts";
export { type MetaState, metaState, restoreMeta } from "./open/meta-state.ts";
export { type OpenOptions, openRepository } from "./open/open.ts";
export type { Repository } from "./repository.ts";
export {
  type DirectoryTreeOptions,
  directoryTree,
  imageIdOfTree,
  imageOfTree,
  storeTreeImage,
  storeTreeImages,
} from "./scan/directory-image.ts";
export { type ScannedDirectory, type ScanOptions, scanDirectory } from "./scan/scan-directory.ts";
export type { StagedEntry } from "./staged-entries.ts";
export { streamContent } from "./stream-content.ts";
