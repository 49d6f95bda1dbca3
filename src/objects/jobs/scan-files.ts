/** Reading the regular files of a scanned directory: metadata, and contents as objects or inline (spec/repository.md 3). */
import { type BigIntStats, closeSync, constants, fstatSync, openSync } from "node:fs";
import type { ByteString } from "../../bytes/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { readOpenXattrs, readUpTo } from "../../platform/index.ts";
import { type VerityAlgorithm, VerityHasher, verityDigest } from "../../verity/index.ts";
import { CLONE_MIN_BYTES, cloneFile, linkFile } from "../import-file.ts";
import { ObjectDraft, type StoredObject, storeObject, storesByDigest } from "../object-draft.ts";
import { stateOfExistingObject } from "../object-protection.ts";
import type { ObjectSettings } from "../object-settings.ts";
import { BATCHED_MAX_BYTES, DigestBatch } from "./digest-batch.ts";
import { newScanFacts, putScanFacts } from "./scan-facts.ts";

export interface ScanFilesInput {
  /** The same for all requests of one scan, and only for them. */
  readonly scan: number;
  readonly algorithm: VerityAlgorithm;
  /** Where objects are stored; undefined: digests only. */
  readonly store: ObjectSettings | undefined;
  /** Hard-link files into the store if their blocks cannot be shared; see linkFile(). */
  readonly linkFiles: boolean;
  /** Contents of up to this length are returned instead of an id. */
  readonly inlineMaxBytes: number;
  readonly paths: readonly ByteString[];
}

export interface ScannedFiles {
  /** See scan-facts.ts. */
  readonly facts: BigInt64Array;
  /** For each path the object id, or the content of a small file. */
  readonly contents: readonly FileScanContent[];
  /** For files that have any, by their place among the paths. */
  readonly xattrs: ReadonlyMap<number, Map<ByteString, Uint8Array>>;
  readonly newObjects: number;
  /** New objects that share blocks or inode with the file. */
  readonly sharedObjects: number;
}

export type FileScanContent = string | Uint8Array;

const CHUNK_BYTES = 1 << 20;
let buffer: Buffer | undefined;

/** Contents of files with several names, so that this thread reads them once per scan. */
const known = new Map<string, FileScanContent>();
let knownScan = 0;

/** @throws SealrootError `conflict` when a file changed while it was read */
export function scanFiles(request: ScanFilesInput): ScannedFiles {
  buffer ??= Buffer.allocUnsafe(CHUNK_BYTES);
  if (knownScan !== request.scan) known.clear();
  knownScan = request.scan;
  const facts = newScanFacts(request.paths.length);
  const xattrs = new Map<number, Map<ByteString, Uint8Array>>();
  const contents: FileScanContent[] = [];
  let newObjects = 0;
  let sharedObjects = 0;
  const small = new DigestBatch<number>(request.algorithm, (index, objectId, bytes) => {
    contents[index] = objectId;
    if (request.store !== undefined && storeObject(request.store, bytes, objectId).isNew) newObjects++;
  });
  const scan = { request, chunk: buffer, small };
  for (const [index, path] of request.paths.entries()) {
    const read = readScannedFile(scan, Buffer.from(path, "latin1"), index);
    putScanFacts(facts, index, read.stat);
    if (read.xattrs.size > 0) xattrs.set(index, read.xattrs);
    if (read.content === undefined) continue;
    contents[index] = read.content;
    if (read.isNew) newObjects++;
    if (read.isNew && read.isShared) sharedObjects++;
  }
  small.finish();
  return { facts, contents, xattrs, newObjects, sharedObjects };
}

interface ScannedContent {
  /** Undefined when the batch will tell. */
  readonly content: FileScanContent | undefined;
  readonly isNew: boolean;
  readonly isShared: boolean;
}

interface ScannedFile extends ScannedContent {
  readonly stat: BigIntStats;
  readonly xattrs: Map<ByteString, Uint8Array>;
}

/** The file that is being read. */
interface Source {
  readonly fd: number;
  readonly path: Buffer;
  readonly sizeBytes: number;
  /** Its place among the paths. */
  readonly index: number;
}

/** What one request has in common. */
interface Scan {
  readonly request: ScanFilesInput;
  readonly chunk: Buffer;
  readonly small: DigestBatch<number>;
}

function readScannedFile(scan: Scan, path: Buffer, index: number): ScannedFile {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) throw changedFile(path);
    const source = { fd, path, sizeBytes: Number(stat.size), index };
    return { stat, xattrs: readOpenXattrs(fd), ...contentOnce(scan, source, stat) };
  } catch (error) {
    throw asSealrootError(error, "Cannot read a file of the directory", { path: path.toString() });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function contentOnce(scan: Scan, source: Source, stat: BigIntStats): ScannedContent {
  if (stat.nlink === 1n) return batchedContent(scan, source) ?? contentOf(scan, source);
  const inode = `${stat.dev}:${stat.ino}`;
  const content = known.get(inode);
  if (content !== undefined) return { content, isNew: false, isShared: false };
  const read = contentOf(scan, source);
  if (read.content !== undefined) known.set(inode, read.content);
  return read;
}

/** Leaves a small file to the batch, if a digest is all that it takes. */
function batchedContent({ request, small }: Scan, source: Source): ScannedContent | undefined {
  const { store, inlineMaxBytes, linkFiles } = request;
  const { sizeBytes } = source;
  // Blocks of larger files may be shared.
  const maxBytes = store === undefined ? BATCHED_MAX_BYTES : CLONE_MIN_BYTES - 1;
  if (sizeBytes <= inlineMaxBytes || sizeBytes > maxBytes) return undefined;
  if (store !== undefined && (linkFiles || !storesByDigest(store))) return undefined;
  readWhole(source, sizeBytes, small.room(sizeBytes));
  small.add(source.index, sizeBytes);
  return { content: undefined, isNew: false, isShared: false };
}

/** Inline, or only the digest, or the cheapest way into the store: shared blocks, a hard link, a copy. */
function contentOf({ request, chunk }: Scan, source: Source): ScannedContent {
  const { store } = request;
  if (source.sizeBytes <= request.inlineMaxBytes) {
    return { content: Uint8Array.from(readWhole(source, source.sizeBytes, chunk)), isNew: false, isShared: false };
  }
  if (store === undefined) return { content: digestOf(request, source, chunk), isNew: false, isShared: false };
  const cloned = source.sizeBytes < CLONE_MIN_BYTES ? undefined : cloneFile(store, source.fd, chunk);
  if (cloned !== undefined) {
    if (cloned.sizeBytes !== source.sizeBytes) throw changedFile(source.path);
    return { content: cloned.objectId, isNew: cloned.isNew, isShared: true };
  }
  if (request.linkFiles) return linkOrCopy(request, store, source, chunk);
  const copied =
    source.sizeBytes <= chunk.length
      ? storeObject(store, readWhole(source, source.sizeBytes, chunk))
      : copyFile(store, source, chunk);
  return { content: copied.objectId, isNew: copied.isNew, isShared: false };
}

function linkOrCopy(request: ScanFilesInput, store: ObjectSettings, source: Source, chunk: Buffer): ScannedContent {
  const content = digestOf(request, source, chunk);
  if (stateOfExistingObject(store, content, source.sizeBytes) === "good") {
    return { content, isNew: false, isShared: false };
  }
  if (linkFile(store, source.fd, content)) return { content, isNew: true, isShared: true };
  const { objectId, isNew } = copyFile(store, source, chunk);
  return { content: objectId, isNew, isShared: false };
}

function digestOf(request: ScanFilesInput, source: Source, chunk: Buffer): string {
  if (source.sizeBytes <= chunk.length) {
    return verityDigest(readWhole(source, source.sizeBytes, chunk), request.algorithm);
  }
  const hasher = new VerityHasher(request.algorithm);
  readInPieces(source, chunk, (piece) => hasher.update(piece));
  return hasher.hexDigest();
}

function copyFile(store: ObjectSettings, source: Source, chunk: Buffer): StoredObject {
  const draft = new ObjectDraft(store);
  try {
    readInPieces(source, chunk, (piece) => draft.write(piece));
    return draft.finish();
  } finally {
    draft.abort();
  }
}

function readInPieces(source: Source, chunk: Buffer, take: (piece: Buffer) => void): void {
  for (let at = 0; at < source.sizeBytes; at += chunk.length) {
    take(readWhole(source, Math.min(chunk.length, source.sizeBytes - at), chunk, at));
  }
}

/** Reads exactly this many bytes. The buffer is reused for the next. */
function readWhole({ fd, path }: Source, lengthBytes: number, target: Buffer, offset = 0): Buffer {
  const bytes = target.subarray(0, lengthBytes);
  if (readUpTo(fd, bytes, offset) < lengthBytes) throw changedFile(path);
  return bytes;
}

export function changedFile(path: Buffer): SealrootError {
  const shown = path.toString();
  return new SealrootError("conflict", `Cannot read ${shown}: the file changed while the directory was read`, {
    path: shown,
  });
}
