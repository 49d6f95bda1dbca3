/** Reading the files of a scanned directory: small ones are taken over, large ones become objects (spec/repository.md 3). */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { type VerityAlgorithm, VerityHasher, verityDigest } from "../verity/index.ts";
import { ObjectDraft, storeObject } from "./object-draft.ts";
import type { ObjectSettings } from "./object-settings.ts";

export interface ScanFilesRequest {
  readonly kind: "scan-files";
  readonly algorithm: VerityAlgorithm;
  /** Where objects are stored; undefined: digests only. */
  readonly store: ObjectSettings | undefined;
  /** Contents of up to this length are given back instead of an id. */
  readonly inlineMaxBytes: number;
  /** Paths as bytes, one code unit a byte. */
  readonly paths: readonly string[];
  /** The length each file had when the directory was read. */
  readonly sizesBytes: readonly number[];
}

export interface ScanFilesResponse {
  readonly kind: "scanned";
  /** For each path the object id, or the content of a small file. */
  readonly contents: readonly (string | Uint8Array)[];
  readonly newObjects: number;
}

const CHUNK_BYTES = 1 << 20;
let buffer: Buffer | undefined;

/** @throws SealrootError `conflict` when a file changed while it was read */
export function scanFiles(request: ScanFilesRequest): ScanFilesResponse {
  buffer ??= Buffer.allocUnsafe(CHUNK_BYTES);
  const contents: (string | Uint8Array)[] = [];
  let newObjects = 0;
  for (const [index, path] of request.paths.entries()) {
    const read = readScannedFile(request, Buffer.from(path, "latin1"), request.sizesBytes[index] ?? 0, buffer);
    contents.push(read.content);
    if (read.isNew) newObjects++;
  }
  return { kind: "scanned", contents, newObjects };
}

interface ScannedFile {
  readonly content: string | Uint8Array;
  readonly isNew: boolean;
}

function readScannedFile(request: ScanFilesRequest, path: Buffer, sizeBytes: number, chunk: Buffer): ScannedFile {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size !== sizeBytes) throw changed(path);
    return sizeBytes <= chunk.length
      ? contentOf(request, readWhole(fd, path, sizeBytes, chunk))
      : streamObject(request, fd, path, sizeBytes, chunk);
  } catch (error) {
    throw asSealrootError(error, "Cannot read a file of the directory", { path: path.toString() });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function contentOf(request: ScanFilesRequest, bytes: Buffer): ScannedFile {
  if (bytes.length <= request.inlineMaxBytes) return { content: Uint8Array.from(bytes), isNew: false };
  if (request.store === undefined) return { content: verityDigest(bytes, request.algorithm), isNew: false };
  const stored = storeObject(request.store, bytes);
  return { content: stored.objectId, isNew: stored.isNew };
}

function streamObject(
  request: ScanFilesRequest,
  fd: number,
  path: Buffer,
  sizeBytes: number,
  chunk: Buffer,
): ScannedFile {
  const draft = request.store === undefined ? undefined : new ObjectDraft(request.store);
  const hasher = new VerityHasher(request.algorithm);
  try {
    for (let at = 0; at < sizeBytes; ) {
      const piece = readWhole(fd, path, Math.min(chunk.length, sizeBytes - at), chunk);
      if (draft === undefined) hasher.update(piece);
      else draft.write(piece);
      at += piece.length;
    }
    if (draft === undefined) return { content: hasher.hexDigest(), isNew: false };
    const stored = draft.finish();
    return { content: stored.objectId, isNew: stored.isNew };
  } finally {
    draft?.abort();
  }
}

function readWhole(fd: number, path: Buffer, lengthBytes: number, target: Buffer): Buffer {
  for (let at = 0; at < lengthBytes; ) {
    const length = readSync(fd, target, at, lengthBytes - at, null);
    if (length === 0) throw changed(path);
    at += length;
  }
  return target.subarray(0, lengthBytes);
}

function changed(path: Buffer): SealrootError {
  return new SealrootError(
    "conflict",
    `Cannot read ${path.toString()}: the file changed while the directory was read`,
    {
      path: path.toString(),
    },
  );
}
