/**
 * objects: the contents of a composefs repository, files called by their fs-verity digest (spec/repository.md 3):
 * stored from bytes or shared with files that exist, read, verified, protected.
 *
 *   jobs/  the part of that which worker threads do; it imports nothing of those who ask
 *
 * `ObjectStore` is the whole of them; what hands work to threads is beside it (importers, verifier, scan queue).
 *
 * A store below `repository/`: may use the file system and `platform/`, and the format rooms verity and tree. Knows one
 * directory, the digest's algorithm and how objects are protected; nothing of links, references, streams or images.
 * @module
 */
export type { FileImporter } from "./file-importer.ts";
export { CLONE_MIN_BYTES } from "./import-file.ts";
export type { ObjectFaultKind } from "./jobs/check-objects.ts";
export { type FileFacts, metadataOfStat } from "./jobs/scan-facts.ts";
export { changedFile, type FileScanContent } from "./jobs/scan-files.ts";
export { makeObjectDirectory, TEMPORARY_OBJECT_PREFIX } from "./object-draft.ts";
export { objectFaults } from "./object-faults.ts";
export { isObjectId, requireObjectId } from "./object-id.ts";
export type { ObjectImporter, ObjectSink } from "./object-importer.ts";
export { offlineSizeBytes, readOfflineDescriptor, verityOn } from "./object-protection.ts";
export { OBJECT_CHUNK_BYTES, type OpenObject, openObject } from "./object-reader.ts";
export { type ObjectSettings, objectFilePath, type Protection } from "./object-settings.ts";
export { ObjectStore } from "./object-store.ts";
export { ObjectVerifier } from "./object-verifier.ts";
export { newObjectWorkers, type ObjectWorkers } from "./object-workers.ts";
export { openRegularFile } from "./regular-file.ts";
export { FileReadQueue } from "./scan-queue.ts";
export { sortedEntries } from "./sorted-entries.ts";
export { requireDigest, verifiedChunks } from "./verified-object.ts";
