/** Blobs: bytes named by the digest of their content, and reading them so that they match it. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { filePieces } from "../platform/index.ts";
import { DigestCheck } from "./digest.ts";
import { type Descriptor, DOCUMENT_MAX_BYTES } from "./documents.ts";

/** A blob's name and length. */
export interface BlobInfo {
  readonly digest: string;
  readonly size: number;
}

/** Parts of a descriptor that say which bytes are meant. */
export type BlobName = Pick<Descriptor, "digest" | "size">;

/** Half-open: from `start` up to but not including `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Bytes of one of several ranges. */
export interface RangePiece {
  /** Index of the range. */
  readonly range: number;
  readonly bytes: Uint8Array;
}

/** Where blobs can be read from: a layout directory, an archive. */
export interface BlobReader {
  /**
   * The blob in parts, each valid until the next is requested. Its size is compared before the first part and its digest
   * before the end is reported, so a consumer that reaches the end has seen the right bytes.
   *
   * @throws SealrootError `not-found`, or `corrupt` when size or digest differ
   */
  read(blob: BlobName): AsyncGenerator<Uint8Array>;
  /**
   * The whole blob, for documents.
   * @throws as {@link read}; `unsupported` above {@link DOCUMENT_MAX_BYTES}
   */
  readWhole(blob: BlobName): Promise<Uint8Array>;
  /**
   * Parts of a blob, if the place can serve parts; otherwise absent. The ranges are in order and do not overlap. A part
   * of a blob has no digest of its own: the caller must know what the bytes should be.
   *
   * @returns for each range its bytes in pieces, in the order of the ranges
   * @throws SealrootError `unsupported` when this blob turns out to be served only whole
   */
  readRanges?(blob: BlobName, ranges: readonly ByteRange[]): AsyncGenerator<RangePiece>;
}

/** Passes the parts of a blob on and checks size and digest (see {@link BlobReader}). */
export async function* checkedBlob(
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  blob: BlobName,
  sizeBytes: number,
  path: string,
): AsyncGenerator<Uint8Array> {
  if (sizeBytes !== blob.size) throw sizeMismatch(path, blob.size, sizeBytes);
  const check = new DigestCheck(blob.digest);
  for await (const part of parts) {
    check.update(part);
    yield part;
  }
  if (check.bytes !== blob.size) throw sizeMismatch(path, blob.size, check.bytes);
  check.finish(`blob ${path}`);
}

/** A blob that is a file of its own (see {@link BlobReader}). */
export async function* checkedBlobFile(path: string, blob: BlobName): AsyncGenerator<Uint8Array> {
  const refuse = (error: unknown) => {
    throw asSealrootError(error, "Cannot read blob", { path });
  };
  // A pipe in its place is not waited for: it has another size.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(refuse);
  const { size } = await file.stat().catch(refuse);
  yield* checkedBlob(filePieces(file, 0, size), blob, size, path);
}

/** Bytes in memory as the parts of a blob. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Parts of a passing blob, and what they were. */
export interface MeasuredParts {
  readonly parts: AsyncIterable<Uint8Array>;
  /** Digest and size; ask only after the last part. */
  result(): BlobInfo;
}

/**
 * Passes the parts of a blob on, computing the digest, or checking it if it is known (see {@link checkedBlob}).
 * @param name what the blob must turn out to be
 */
export function measuredParts(
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  name: BlobName | undefined,
): MeasuredParts {
  if (name !== undefined) {
    const parts = checkedBlob(source, name, name.size, name.digest);
    return { parts, result: () => ({ digest: name.digest, size: name.size }) };
  }
  const hash = createHash("sha256");
  let size = 0;
  async function* hashed() {
    for await (const part of source) {
      hash.update(part);
      size += part.length;
      yield part;
    }
  }
  return { parts: hashed(), result: () => ({ digest: `sha256:${hash.digest("hex")}`, size }) };
}

/** Reads a blob into memory (see {@link BlobReader}). */
export async function wholeBlob(reader: BlobReader, blob: BlobName): Promise<Uint8Array> {
  if (blob.size > DOCUMENT_MAX_BYTES) {
    const limit = `${blob.size} bytes exceed ${DOCUMENT_MAX_BYTES}`;
    throw new SealrootError("unsupported", `Cannot read blob ${blob.digest}: ${limit}`);
  }
  const parts: Uint8Array[] = [];
  for await (const part of reader.read(blob)) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

/** True when there is a file of that length. @throws SealrootError when that cannot be determined */
export async function isFileOfSize(path: string, sizeBytes: number): Promise<boolean> {
  try {
    return (await stat(path)).size === sizeBytes;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw asSealrootError(error, "Cannot look for blob", { path });
  }
}

/** The error for a blob whose length differs from its descriptor's. */
export function sizeMismatch(path: string, expected: number, actual: number): SealrootError {
  return new SealrootError("corrupt", `Cannot accept blob ${path}: it has ${actual} bytes, expected ${expected}`, {
    path,
    expected: String(expected),
    actual: String(actual),
  });
}
