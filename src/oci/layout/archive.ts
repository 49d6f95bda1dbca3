/** A layout inside a tar file (`oci-archive:`), read in place. */
import { SealrootError } from "../../errors/index.ts";
import { type BlobName, type BlobReader, checkedBlob, wholeBlob } from "../blobs.ts";
import { splitDigest } from "../digest.ts";
import { TarFile } from "./tar-file.ts";

/** Opened once, until {@link close}. */
export class OciArchive implements BlobReader {
  readonly path: string;
  readonly #file: TarFile;

  private constructor(path: string, file: TarFile) {
    this.path = path;
    this.#file = file;
  }

  /** @throws SealrootError `not-found`, or `corrupt` when the file is not a tar archive */
  static async open(path: string): Promise<OciArchive> {
    return new OciArchive(path, await TarFile.open(path, "OCI archive"));
  }

  /** @throws SealrootError `not-found`, `unsupported` as {@link TarFile.readDocument} */
  readDocument(name: string): Promise<Uint8Array> {
    return this.#file.readDocument(name);
  }

  async *read(blob: BlobName): AsyncGenerator<Uint8Array> {
    const { algorithm, hex } = splitDigest(blob.digest);
    const name = `blobs/${algorithm}/${hex}`;
    const member = this.#file.find(name);
    if (member === undefined) {
      throw new SealrootError("not-found", `Cannot read blob: ${this.path} has no member ${name}`, { path: this.path });
    }
    yield* checkedBlob(this.#file.read(member), blob, member.sizeBytes, `${this.path}/${name}`);
  }

  readWhole(blob: BlobName): Promise<Uint8Array> {
    return wholeBlob(this, blob);
  }

  /** As {@link TarFile.place}. */
  place(): Promise<string> {
    return this.#file.place();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
