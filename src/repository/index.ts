/**
 * repository: the composefs repository on disk: objects, streams, images, references, locks, gc, fsck
 * (spec/repository.md).
 *
 * A store: may use the file system and `platform/`, and the format rooms verity, tree, erofs and splitstream. Knows
 * nothing of OCI: what streams are called and what they mean is `oci/`'s business.
 * @module
 */
export type { SizedObject } from "./content-digests.ts";
export type { DerivedFiles } from "./derived-files.ts";
export {
  type DirectoryTreeOptions,
  directoryTree,
  imageOfTree,
  storeTreeImages,
} from "./directory-image.ts";
export { type PrivilegedParts, privilegedPartsText } from "./extract-rights.ts";
export { type ExtractOptions, extractTree } from "./extract-tree.ts";
export { checkRepository, type FsckOptions } from "./fsck.ts";
export { brokenObjects, findHitReferences } from "./fsck-hits.ts";
export {
  type Finding,
  type FindingKind,
  type FsckReport,
  findingText,
  fsckFullJson,
  fsckJson,
  fsckLines,
} from "./fsck-report.ts";
export { collectGarbage, type GcOptions, type GcReport, gcLines } from "./gc.ts";
export { idPrefixOf, onlyCandidate } from "./id-prefix.ts";
export { storeForeignImage } from "./import-image.ts";
export { type InitOptions, type InitResult, initRepository } from "./init.ts";
export { type LinkEntry, LinkStore, type Reference } from "./link-store.ts";
export {
  type ErofsFormats,
  type ErofsVersion,
  formatMeta,
  parseAlgorithm,
  parseErofsVersion,
  parseMeta,
  type RepositoryMeta,
} from "./meta.ts";
export { type MountImageOptions, mountImage } from "./mount-image.ts";
export type { ObjectDraft, StoredObject } from "./object-draft.ts";
export type { ImportStatistics, ObjectImporter, ObjectSink } from "./object-importer.ts";
export type { OpenObject } from "./object-reader.ts";
export type { ObjectSettings, Protection } from "./object-settings.ts";
export type { ObjectEntry, ObjectStore } from "./object-store.ts";
export { type OpenOptions, openRepository } from "./open.ts";
export { type RepairOptions, type RepairReport, repairRepository } from "./repair.ts";
export { Repository } from "./repository.ts";
export { type ScannedDirectory, type ScanOptions, scanDirectory } from "./scan-directory.ts";
export { readStoredTree } from "./stored-tree.ts";
export { streamContent } from "./stream-content.ts";
export type { FileImporter } from "./take-file.ts";
export { verifiedChunks } from "./verified-object.ts";
