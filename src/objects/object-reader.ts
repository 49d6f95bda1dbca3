/** Reading objects. */
import { closeSync, readSync } from "node:fs";
import { asSealrootError, corrupt, hasErrno, SealrootError } from "../errors/index.ts";
import { checkOpenedObject } from "./object-protection.ts";
import { type ObjectSettings, objectFilePath } from "./object-settings.ts";
import { openRegularFile } from "./regular-file.ts";

/** Length of the pieces that objects are read in. */
export const OBJECT_CHUNK_BYTES = 1 << 20;
/** Largest object that is read whole: split streams and images; the latter have the same limit. */
const WHOLE_OBJECT_MAX_BYTES = 2 ** 30;

/** An opened object, checked as the repository demands. Close it; `using` does. */
export interface OpenObject extends Disposable {
  readonly objectId: string;
  readonly sizeBytes: number;
  /** For system calls and mounts. In a staged repository the file continues past `sizeBytes`. */
  readonly fd: number;
  /** All bytes at once. @throws SealrootError `unsupported` for more than 1 GiB */
  bytes(): Buffer;
  /** The bytes `start..end` (half-open, inside the object). */
  range(start: number, end: number): Buffer;
  /** Fills `target` with the bytes from `start` on, all of which are inside the object. */
  readInto(target: Uint8Array, start: number): void;
  /**
   * The bytes in pieces, each valid until the next is requested.
   * @param buffer for reading, the largest piece; absent: of up to 1 MiB, made for this object
   */
  chunks(buffer?: Buffer): Generator<Buffer>;
  close(): void;
}

/**
 * Opens an object and checks it: kernel digest in a secure repository (spec/repository.md 3.1, 3.3).
 * @throws SealrootError `not-found`, `untrusted`, `corrupt`
 */
export function openObject(settings: ObjectSettings, objectId: string): OpenObject {
  const path = objectFilePath(settings, objectId);
  let fd: number;
  try {
    fd = openRegularFile(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) {
      throw new SealrootError(
        "not-found",
        `Cannot read object ${objectId}: it is not in the repository`,
        { path },
        error,
      );
    }
    throw asSealrootError(error, `Cannot read object ${objectId}`, { path });
  }
  try {
    return new ObjectFile(fd, objectId, checkOpenedObject(settings, fd, objectId));
  } catch (error) {
    closeSync(fd);
    throw asSealrootError(error, `Cannot read object ${objectId}`, { path });
  }
}

class ObjectFile implements OpenObject {
  readonly fd: number;
  readonly objectId: string;
  readonly sizeBytes: number;
  #open = true;

  constructor(fd: number, objectId: string, sizeBytes: number) {
    this.fd = fd;
    this.objectId = objectId;
    this.sizeBytes = sizeBytes;
  }

  bytes(): Buffer {
    if (this.sizeBytes > WHOLE_OBJECT_MAX_BYTES) {
      throw new SealrootError(
        "unsupported",
        `Cannot read object ${this.objectId} whole: ${this.sizeBytes} bytes are more than ${WHOLE_OBJECT_MAX_BYTES}`,
      );
    }
    return this.range(0, this.sizeBytes);
  }

  range(start: number, end: number): Buffer {
    const target = Buffer.allocUnsafe(end - start);
    this.readInto(target, start);
    return target;
  }

  readInto(target: Uint8Array, start: number): void {
    for (let at = 0; at < target.length; ) {
      let length: number;
      try {
        length = readSync(this.fd, target, at, target.length - at, start + at);
      } catch (error) {
        // EIO is how the kernel reports a block that does not match the fs-verity digest.
        const code = hasErrno(error, "EIO") ? "corrupt" : undefined;
        if (code === undefined) throw asSealrootError(error, `Cannot read object ${this.objectId}`);
        throw new SealrootError(code, `Cannot read object ${this.objectId}: EIO near offset ${start + at}`, {}, error);
      }
      if (length === 0) {
        throw corrupt(`Cannot read object ${this.objectId}: it ends at ${start + at}, not at ${this.sizeBytes}`);
      }
      at += length;
    }
  }

  *chunks(buffer = Buffer.allocUnsafe(Math.min(OBJECT_CHUNK_BYTES, this.sizeBytes))): Generator<Buffer> {
    for (let at = 0; at < this.sizeBytes; at += buffer.length) {
      const chunk = buffer.subarray(0, Math.min(buffer.length, this.sizeBytes - at));
      this.readInto(chunk, at);
      yield chunk;
    }
  }

  close(): void {
    if (this.#open) closeSync(this.fd);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
