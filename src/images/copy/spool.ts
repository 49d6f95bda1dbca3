/** Blobs made on the way wait in temporary files until they are sent. */
import { createReadStream, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { asSealrootError } from "../../errors/index.ts";
import { type BlobName, measuredParts } from "../../oci/index.ts";
import { largeFileDirectory, type TemporaryDirectory, temporaryDirectory } from "../../platform/index.ts";
import type { BlobContent } from "./destination.ts";

const READ_BYTES = 1 << 20;

/** A blob that can be read as often as needed. */
export interface SpooledBlob {
  readonly content: BlobContent & { readonly name: BlobName };
  remove(): void;
}

/** Made for the first blob; gone with {@link remove}, or when the process ends. */
export class BlobSpool {
  #directory: TemporaryDirectory | undefined;
  #blobs = 0;

  /** @throws SealrootError `no-space`; what the content throws */
  async take(source: BlobContent): Promise<SpooledBlob> {
    this.#directory ??= temporaryDirectory({ parent: largeFileDirectory(), purpose: "push" });
    const path = join(this.#directory.path, String(this.#blobs++));
    const measured = measuredParts(source.open(), source.name);
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(measured.parts);
    } catch (error) {
      throw asSealrootError(error, "Cannot write temporary file", { path });
    } finally {
      await file.close();
    }
    const content = { name: measured.result(), open: () => createReadStream(path, { highWaterMark: READ_BYTES }) };
    return { content, remove: () => rmSync(path, { force: true }) };
  }

  remove(): void {
    this.#directory?.remove();
    this.#directory = undefined;
  }
}
