/** The blobs of an OCI layout: files named by the digest of their content (OCI image specification, image-layout.md). */
import { createHash, randomBytes } from "node:crypto";
import { constants, createReadStream, existsSync } from "node:fs";
import { copyFile, type FileHandle, link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { syncDirectory } from "../platform/index.ts";
import { DIGEST_ALGORITHMS, DigestCheck, splitDigest } from "./digest.ts";
import { type Descriptor, DOCUMENT_MAX_BYTES } from "./documents.ts";

/** Size of the pieces in which blobs are read. */
const READ_BYTES = 1 << 20;

/** What a blob is called and how long it is. */
export interface BlobInfo {
  readonly digest: string;
  readonly size: number;
}

/** Parts of a descriptor that say which bytes are meant. */
export type BlobName = Pick<Descriptor, "digest" | "size">;

/** Half-open: from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Bytes of one range of several. */
export interface RangePiece {
  /** Index of the range. */
  readonly range: number;
  readonly bytes: Uint8Array;
}

/** Where blobs can be read from: a layout directory, an archive. */
export interface BlobReader {
  /**
   * The blob in parts. Its size is compared before the first part and its digest before the end is reported, so a
   * consumer that reached the end has seen the right bytes.
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
   * Parts of a blob, where the place can serve parts; absent elsewhere. The ranges are in order and do not overlap. A
   * part of a blob has no digest of its own: the caller must know what the bytes should be.
   *
   * @returns for each range its bytes in pieces, in the order of the ranges
   * @throws SealrootError `unsupported` when it turns out that this blob is only served whole
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
  const { size } = await stat(path).catch((error: unknown) => {
    throw asSealrootError(error, "Cannot read blob", { path });
  });
  yield* checkedBlob(createReadStream(path, { highWaterMark: READ_BYTES }), blob, size, path);
}

/** Bytes at hand as the parts of a blob. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Parts of a blob that pass, and what they were. */
export interface MeasuredParts {
  readonly parts: AsyncIterable<Uint8Array>;
  /** Digest and size; to be asked for when the parts have come to their end. */
  result(): BlobInfo;
}

/**
 * Passes the parts of a blob on, computing the digest, or checking it where it is known (see {@link checkedBlob}).
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
  for await (const part of reader.read(blob)) parts.push(part);
  return Buffer.concat(parts);
}

/** The blobs of a layout directory. */
export class BlobStore implements BlobReader {
  /** The layout's directory. */
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The file that holds the blob, present or not. */
  pathOf(digest: string): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.directory, "blobs", algorithm, hex);
  }

  read(blob: BlobName): AsyncGenerator<Uint8Array> {
    return checkedBlobFile(this.pathOf(blob.digest), blob);
  }

  readWhole(blob: BlobName): Promise<Uint8Array> {
    return wholeBlob(this, blob);
  }

  /**
   * Writes a blob under its digest; nothing gets the final name before it is whole.
   *
   * @param expected what the blob must turn out to be; without it any bytes are taken, under their sha256 digest
   * @throws SealrootError `corrupt` when the bytes are others than expected
   */
  async put(source: Uint8Array | AsyncIterable<Uint8Array>, expected?: BlobName): Promise<BlobInfo> {
    return this.#intoPlace(async (file) => {
      const measured = measuredParts(source instanceof Uint8Array ? [source] : source, expected);
      for await (const part of measured.parts) await writeAll(file, part);
      return measured.result();
    });
  }

  /**
   * Takes over a blob of another layout: by hard link where that works, else as a copy (sharing extents where the file
   * system can). The digest is checked, as a name is given here; what has the name already is replaced.
   */
  async copyFrom(other: BlobStore, blob: BlobName): Promise<void> {
    const [source, target, temporary] = [other.pathOf(blob.digest), this.pathOf(blob.digest), this.#temporaryPath()];
    for await (const _ of other.read(blob));
    try {
      await mkdir(dirname(target), { recursive: true });
      await link(source, temporary).catch(() => copyDurably(source, temporary));
      await rename(temporary, target);
    } catch (error) {
      throw asSealrootError(error, "Cannot copy blob", { path: target });
    } finally {
      // Still there when both names were one file already (rename(2)).
      await rm(temporary, { force: true });
    }
  }

  /** Makes the names of all blobs durable: to be done before anything refers to them. */
  sync(): void {
    const directory = join(this.directory, "blobs");
    for (const algorithm of DIGEST_ALGORITHMS) {
      const path = join(directory, algorithm);
      if (existsSync(path)) syncDirectory(path);
    }
    syncDirectory(directory);
  }

  /** True when there is a file of that name and length. */
  async has(blob: BlobName): Promise<boolean> {
    return isFileOfSize(this.pathOf(blob.digest), blob.size);
  }

  async #intoPlace(write: (file: FileHandle) => Promise<BlobInfo>): Promise<BlobInfo> {
    const temporary = this.#temporaryPath();
    await mkdir(dirname(temporary), { recursive: true });
    const file = await open(temporary, "wx", 0o644);
    try {
      const info = await write(file);
      await file.sync();
      await file.close();
      const path = this.pathOf(info.digest);
      await mkdir(dirname(path), { recursive: true });
      await rename(temporary, path);
      return info;
    } catch (error) {
      await file.close().catch(() => {});
      await rm(temporary, { force: true });
      throw asSealrootError(error, "Cannot write blob", { path: this.directory });
    }
  }

  #temporaryPath(): string {
    return join(this.directory, "blobs", `.tmp-blob-${randomBytes(9).toString("hex")}`);
  }
}

/** True when there is a file of that length. @throws SealrootError when it cannot be told */
export async function isFileOfSize(path: string, sizeBytes: number): Promise<boolean> {
  try {
    return (await stat(path)).size === sizeBytes;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw asSealrootError(error, "Cannot look for blob", { path });
  }
}

async function copyDurably(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  const file = await open(target, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, part: Uint8Array): Promise<void> {
  let written = 0;
  while (written < part.length) written += (await file.write(part, written)).bytesWritten;
}

/** The error for a blob of another length than its descriptor says. */
export function sizeMismatch(path: string, expected: number, actual: number): SealrootError {
  return new SealrootError("corrupt", `Cannot accept blob ${path}: it has ${actual} bytes, expected ${expected}`, {
    path,
    expected: String(expected),
    actual: String(actual),
  });
}
