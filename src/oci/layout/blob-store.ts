/** The blobs of an OCI layout: files named by the digest of their content (OCI image specification, image-layout.md). */
import { constants, existsSync } from "node:fs";
import { copyFile, type FileHandle, link, mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { asSealrootError } from "../../errors/index.ts";
import { syncDirectory, type TemporaryDirectory, temporaryDirectory } from "../../platform/index.ts";
import {
  type BlobInfo,
  type BlobName,
  type BlobReader,
  checkedBlobFile,
  isFileOfSize,
  measuredParts,
  wholeBlob,
} from "../blobs.ts";
import { DIGEST_ALGORITHMS, splitDigest } from "../digest.ts";

const BLOBS = "blobs";
/** Of a blob in its hidden directory. */
const TEMPORARY_NAME = "blob";

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
    return join(this.directory, BLOBS, algorithm, hex);
  }

  read(blob: BlobName): AsyncGenerator<Uint8Array> {
    return checkedBlobFile(this.pathOf(blob.digest), blob);
  }

  readWhole(blob: BlobName): Promise<Uint8Array> {
    return wholeBlob(this, blob);
  }

  /**
   * Writes a blob under its digest; nothing gets the final name before it is complete.
   *
   * @param expected what the blob must turn out to be; without it any bytes are accepted, under their sha256 digest
   * @throws SealrootError `corrupt` when the bytes are not the expected ones
   */
  async put(source: Uint8Array | AsyncIterable<Uint8Array>, expected?: BlobName): Promise<BlobInfo> {
    return this.#intoPlace(async (file) => {
      const measured = measuredParts(source instanceof Uint8Array ? [source] : source, expected);
      for await (const part of measured.parts) await writeAll(file, part);
      return measured.result();
    });
  }

  /**
   * Adopts a blob of another layout: by hard link if that works, else as a copy (sharing extents if the file system
   * can). The digest is checked, as a name is given here; what already has the name is replaced.
   *
   * @param checked reads the other layout's blob through and throws when it is not what it should be
   */
  async copyFrom(
    other: BlobStore,
    blob: BlobName,
    checked: AsyncIterable<Uint8Array> = other.read(blob),
  ): Promise<void> {
    const [source, target] = [other.pathOf(blob.digest), this.pathOf(blob.digest)];
    for await (const _ of checked);
    try {
      await mkdir(dirname(target), { recursive: true });
      using hidden = this.#hiddenDirectory();
      const temporary = join(hidden.path, TEMPORARY_NAME);
      await link(source, temporary).catch(() => copyDurably(source, temporary));
      // The temporary name stays when both names were already one file (rename(2)).
      await rename(temporary, target);
    } catch (error) {
      throw asSealrootError(error, "Cannot copy blob", { path: target });
    }
  }

  /** Makes the names of all blobs durable: call before anything refers to them. */
  sync(): void {
    const directory = join(this.directory, BLOBS);
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
    await mkdir(join(this.directory, BLOBS), { recursive: true });
    using hidden = this.#hiddenDirectory();
    const temporary = join(hidden.path, TEMPORARY_NAME);
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
      throw asSealrootError(error, "Cannot write blob", { path: this.directory });
    }
  }

  /** A directory and not a file, since a file that is a hard link cannot be locked for one process alone. */
  #hiddenDirectory(): TemporaryDirectory {
    return temporaryDirectory({ parent: join(this.directory, BLOBS), purpose: "blob" });
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
