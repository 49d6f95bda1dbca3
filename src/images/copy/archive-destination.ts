/** A layout in a tar file (`oci-archive:`), written in one go: equal images give equal bytes. */
import { fsync, ftruncate, renameSync, write } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { byteStringOfText } from "../../bytes/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import type { PathReference } from "../../oci/index.ts";
import {
  type BlobName,
  type Descriptor,
  documentBytes,
  entryNamed,
  MEDIA_TYPE,
  measuredParts,
  once,
  splitDigest,
} from "../../oci/index.ts";
import {
  inspectFilePlace,
  type Place,
  syncDirectory,
  type TemporaryFile,
  takeOverAccess,
  temporaryFile,
} from "../../platform/index.ts";
import { END_OF_ARCHIVE, encodeTarHeader, type TarMemberHeader, tarPadding } from "../../tar/index.ts";
import type { BlobContent, ImageDestination, StoredBlob } from "./destination.ts";

/**
 * Writes the members as they come, into a hidden file beside the archive. If a blob's digest is not known beforehand,
 * its header is written afterwards, into the space left for it.
 */
export class ArchiveDestination implements ImageDestination {
  /** One after the other: the archive has the blobs in the order of arrival. */
  readonly parallelBlobs = 1;
  readonly #place: Place;
  readonly #tag: string | undefined;
  readonly #file: TemporaryFile;
  readonly #members = new Set<string>();
  #named: Descriptor | undefined;
  #endBytes = 0;

  private constructor(place: Place, tag: string | undefined, file: TemporaryFile) {
    this.#place = place;
    this.#tag = tag;
    this.#file = file;
  }

  /** @throws SealrootError as {@link inspectFilePlace} */
  static async open({ path, tag }: PathReference): Promise<ArchiveDestination> {
    const action = `Cannot write OCI archive ${path}`;
    const place = inspectFilePlace(path, action);
    try {
      const file = temporaryFile({ parent: dirname(place.path), purpose: "archive", mode: 0o644 });
      takeOverAccess(file.fd, file.path, place, action);
      return new ArchiveDestination(place, tag, file);
    } catch (error) {
      throw asSealrootError(error, action, { path });
    }
  }

  get #path(): string {
    return this.#place.path;
  }

  async hasBlob(blob: BlobName): Promise<boolean> {
    return this.#members.has(memberName(blob.digest));
  }

  async putBlob({ name, open }: BlobContent): Promise<StoredBlob> {
    if (this.#members.size === 0) for (const path of ["blobs", "blobs/sha256"]) await this.#append(directory(path));
    if (name !== undefined && (await this.hasBlob(name))) return { digest: name.digest, size: name.size, sentBytes: 0 };
    const startBytes = this.#endBytes;
    const headerBytes = encodeTarHeader(file(memberName(name?.digest ?? UNKNOWN_DIGEST), name?.size ?? 0)).length;
    this.#endBytes += headerBytes;
    const measured = measuredParts(open(), name);
    for await (const part of measured.parts) await this.#append(part);
    const info = measured.result();
    const header = encodeTarHeader(file(memberName(info.digest), info.size));
    if (header.length !== headerBytes) throw tooLong(this.#path, info.size);
    await this.#write(header, startBytes);
    await this.#append(tarPadding(info.size));
    // Two layers may turn out to be one blob.
    if (this.#members.has(memberName(info.digest))) this.#endBytes = startBytes;
    this.#members.add(memberName(info.digest));
    return { ...info, sentBytes: info.size };
  }

  async putManifest(descriptor: Descriptor, bytes: Uint8Array, role: "named" | "part"): Promise<void> {
    await this.putBlob({ name: descriptor, open: () => once(bytes) });
    if (role === "named") this.#named = descriptor;
  }

  async finish(): Promise<void> {
    const entry = entryNamed(this.#named ?? never(), this.#tag);
    await this.#document("index.json", { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [entry] });
    await this.#document("oci-layout", { imageLayoutVersion: "1.0.0" });
    await this.#append(END_OF_ARCHIVE);
    try {
      await truncateFile(this.#file.fd, this.#endBytes);
      await syncFile(this.#file.fd);
      renameSync(this.#file.path, this.#path);
      this.#file.close();
      syncDirectory(dirname(this.#path));
    } catch (error) {
      throw asSealrootError(error, "Cannot write OCI archive", { path: this.#path });
    }
  }

  async abort(): Promise<void> {
    this.#file.close();
  }

  async #document(name: string, content: object): Promise<void> {
    const bytes = documentBytes(content);
    await this.#append(encodeTarHeader(file(name, bytes.length)));
    await this.#append(bytes);
    await this.#append(tarPadding(bytes.length));
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes, this.#endBytes);
    this.#endBytes += bytes.length;
  }

  async #write(bytes: Uint8Array, offsetBytes: number): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await writeFile(this.#file.fd, bytes, done, bytes.length - done, offsetBytes + done)).bytesWritten;
      }
    } catch (error) {
      throw asSealrootError(error, "Cannot write OCI archive", { path: this.#path });
    }
  }
}

const writeFile = promisify(write);
const truncateFile = promisify(ftruncate);
const syncFile = promisify(fsync);

/** Placeholder for a digest of the same length. */
const UNKNOWN_DIGEST = `sha256:${"0".repeat(64)}`;

function memberName(digest: string): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** Owner, time and mode do not depend on who writes the image. */
const PLAIN = { uid: 0, gid: 0, mtimeSeconds: 0n } as const;

function file(path: string, sizeBytes: number): TarMemberHeader {
  return { ...PLAIN, kind: "file", path: byteStringOfText(path), mode: 0o644, sizeBytes };
}

function directory(path: string): Uint8Array {
  return encodeTarHeader({ ...PLAIN, kind: "directory", path: byteStringOfText(path), mode: 0o755 });
}

/** A header with a size of more than 33 bits takes more blocks (POSIX.1-2017, pax, "ustar Interchange Format"). */
function tooLong(path: string, sizeBytes: number): SealrootError {
  const what = `Cannot write OCI archive: a layer compressed on the way has ${sizeBytes} bytes, over 8 GiB`;
  return new SealrootError("unsupported", what, { path, hint: "write oci:DIRECTORY and pack it with tar" });
}

function never(): never {
  throw new Error("unreachable: an image is named before it is finished");
}
