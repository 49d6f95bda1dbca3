/** A directory of loose blobs (`dir:`), as skopeo writes it: `version`, `manifest.json`, blobs by the hex of their digest. */
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { onProcessExit, renameExchange, syncDirectory } from "../../platform/index.ts";
import { type BlobName, isFileOfSize, measuredParts } from "../blobs.ts";
import { splitDigest } from "../digest.ts";
import type { Descriptor } from "../documents.ts";
import type { PathReference } from "../reference.ts";
import type { BlobContent, ImageDestination, StoredBlob } from "./destination.ts";

const VERSION_FILE = "version";
/** What skopeo writes and demands (containers/image, directory transport). */
const VERSION_CONTENT = "Directory Transport Version: 1.1\n";

/** Written under a hidden name; it takes the place of an earlier image in one step. */
export class DirectoryDestination implements ImageDestination {
  readonly parallelBlobs = 2;
  readonly #path: string;
  readonly #temporary: string;
  readonly #forget: () => void;

  private constructor(path: string, temporary: string) {
    this.#path = path;
    this.#temporary = temporary;
    this.#forget = onProcessExit(() => rmSync(temporary, { recursive: true, force: true }));
  }

  /** @throws SealrootError `exists` when the directory holds something else than such an image */
  static async open(reference: PathReference): Promise<DirectoryDestination> {
    const path = resolve(reference.path);
    const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
    refuseOther(path);
    try {
      await mkdir(temporary);
    } catch (error) {
      throw asSealrootError(error, "Cannot write image directory", { path });
    }
    const destination = new DirectoryDestination(path, temporary);
    try {
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
    this.#forget();
  }

  async abort(): Promise<void> {
    rmSync(this.#temporary, { recursive: true, force: true });
    this.#forget();
  }

  async #takePlace(): Promise<void> {
    if (contentOf(this.#path).length === 0) {
      // Over nothing, or over an empty directory.
      await rename(this.#temporary, this.#path);
      return;
    }
    renameExchange(this.#temporary, this.#path);
    rmSync(this.#temporary, { recursive: true, force: true });
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
