/** A directory of loose blobs (`dir:`), as skopeo writes it: `version`, `manifest.json`, blobs by the hex of their digest. */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readdirSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import type { Descriptor, PathReference } from "../../oci/index.ts";
import { type BlobName, isFileOfSize, measuredParts, splitDigest } from "../../oci/index.ts";
import {
  inspectDirectoryPlace,
  type Place,
  renameExchange,
  syncDirectory,
  type TemporaryDirectory,
  takeOverAccess,
  temporaryDirectory,
} from "../../platform/index.ts";
import type { BlobContent, ImageDestination, StoredBlob } from "./destination.ts";

const VERSION_FILE = "version";
/** What skopeo writes and demands (containers/image, directory transport). */
const VERSION_CONTENT = "Directory Transport Version: 1.1\n";

/** Written under a hidden name; it replaces an earlier image in one step. */
export class DirectoryDestination implements ImageDestination {
  readonly parallelBlobs = 2;
  readonly #place: Place;
  readonly #hidden: TemporaryDirectory;
  /** Inside the hidden directory, so that it gets its mode from the umask. */
  readonly #temporary: string;

  private constructor(place: Place, hidden: TemporaryDirectory) {
    this.#place = place;
    this.#hidden = hidden;
    this.#temporary = join(hidden.path, "image");
  }

  /** @throws SealrootError `exists` when the directory holds anything but such an image; as inspectDirectoryPlace */
  static async open(reference: PathReference): Promise<DirectoryDestination> {
    const action = `Cannot write image directory ${reference.path}`;
    const place = inspectDirectoryPlace(reference.path, action);
    refuseOther(place.path);
    let hidden: TemporaryDirectory;
    try {
      hidden = temporaryDirectory({ parent: dirname(place.path), purpose: "image" });
    } catch (error) {
      throw asSealrootError(error, action, { path: place.path });
    }
    const destination = new DirectoryDestination(place, hidden);
    try {
      await mkdir(destination.#temporary);
      destination.#takeOverAccess(action);
      await destination.#write(VERSION_FILE, Buffer.from(VERSION_CONTENT));
      return destination;
    } catch (error) {
      await destination.abort();
      throw error;
    }
  }

  hasBlob(blob: BlobName): Promise<boolean> {
    return isFileOfSize(this.#pathOf(blob.digest), blob.size);
  }

  async putBlob({ name, open }: BlobContent): Promise<StoredBlob> {
    const measured = measuredParts(open(), name);
    const temporary = `.blob-${randomBytes(9).toString("hex")}`;
    await this.#write(temporary, measured.parts);
    const info = measured.result();
    await rename(join(this.#temporary, temporary), this.#pathOf(info.digest));
    return { ...info, sentBytes: info.size };
  }

  async putManifest(descriptor: Descriptor, bytes: Uint8Array, role: "named" | "part"): Promise<void> {
    const { hex } = splitDigest(descriptor.digest);
    await this.#write(role === "named" ? "manifest.json" : `${hex}.manifest.json`, bytes);
  }

  async finish(): Promise<void> {
    refuseOther(this.#path);
    try {
      syncDirectory(this.#temporary);
      await this.#takePlace();
      syncDirectory(dirname(this.#path));
    } catch (error) {
      throw asSealrootError(error, "Cannot write image directory", { path: this.#path });
    }
    this.#hidden.remove();
  }

  async abort(): Promise<void> {
    this.#hidden.remove();
  }

  get #path(): string {
    return this.#place.path;
  }

  #takeOverAccess(action: string): void {
    const fd = openSync(this.#temporary, "r");
    try {
      takeOverAccess(fd, this.#temporary, this.#place, action);
    } finally {
      closeSync(fd);
    }
  }

  async #takePlace(): Promise<void> {
    if (contentOf(this.#path).length === 0) {
      // Over nothing, or an empty directory.
      await rename(this.#temporary, this.#path);
      return;
    }
    // What was there is removed with the hidden directory.
    renameExchange(this.#temporary, this.#path);
  }

  #pathOf(digest: string): string {
    return join(this.#temporary, splitDigest(digest).hex);
  }

  async #write(name: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    try {
      const file = await open(join(this.#temporary, name), "wx", 0o644);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw asSealrootError(error, "Cannot write image directory", { path: this.#path });
    }
  }
}

function refuseOther(path: string): void {
  const names = contentOf(path);
  if (names.length === 0 || names.includes(VERSION_FILE)) return;
  const what = `Cannot write image directory: ${path} holds something else`;
  throw new SealrootError("exists", what, { path, hint: "name a new directory, or one that skopeo or sealroot wrote" });
}

function contentOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw asSealrootError(error, "Cannot write image directory", { path });
  }
}
