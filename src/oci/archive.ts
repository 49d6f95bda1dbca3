/** A layout inside a tar file (`oci-archive:`), read in place. */
import { type FileHandle, open } from "node:fs/promises";
import { displayText } from "../bytes/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { BLOCK_BYTES, TarParser } from "../tar/index.ts";
import { type BlobName, type BlobReader, checkedBlob, wholeBlob } from "./blobs.ts";
import { splitDigest } from "./digest.ts";
import { DOCUMENT_MAX_BYTES } from "./documents.ts";

/** Size of the pieces in which members are read. */
const READ_BYTES = 1 << 20;

interface Member {
  readonly start: number;
  readonly sizeBytes: number;
}

/** Members by their names without leading `./`; opened once, until {@link close}. */
export class OciArchive implements BlobReader {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #members: ReadonlyMap<string, Member>;

  private constructor(path: string, file: FileHandle, members: ReadonlyMap<string, Member>) {
    this.path = path;
    this.#file = file;
    this.#members = members;
  }

  /** @throws SealrootError `not-found`, or `corrupt` when the file is no tar archive */
  static async open(path: string): Promise<OciArchive> {
    const file = await open(path).catch((error: unknown) => {
      throw asSealrootError(error, "Cannot open OCI archive", { path });
    });
    try {
      return new OciArchive(path, file, await listMembers(file));
    } catch (error) {
      await file.close();
      throw asSealrootError(error, "Cannot open OCI archive", { path });
    }
  }

  async readDocument(name: string): Promise<Uint8Array> {
    const member = this.#members.get(name);
    if (member === undefined) {
      throw new SealrootError("not-found", `Cannot read OCI archive: ${this.path} has no member ${name}`, {
        path: this.path,
      });
    }
    if (member.sizeBytes > DOCUMENT_MAX_BYTES) {
      throw new SealrootError("unsupported", `Cannot read OCI archive: ${name} exceeds ${DOCUMENT_MAX_BYTES} bytes`);
    }
    const parts: Uint8Array[] = [];
    for await (const part of this.#stream(member)) parts.push(part);
    return Buffer.concat(parts);
  }

  async *read(blob: BlobName): AsyncGenerator<Uint8Array> {
    const { algorithm, hex } = splitDigest(blob.digest);
    const name = `blobs/${algorithm}/${hex}`;
    const member = this.#members.get(name);
    if (member === undefined) {
      throw new SealrootError("not-found", `Cannot read blob: ${this.path} has no member ${name}`, { path: this.path });
    }
    yield* checkedBlob(this.#stream(member), blob, member.sizeBytes, `${this.path}/${name}`);
  }

  readWhole(blob: BlobName): Promise<Uint8Array> {
    return wholeBlob(this, blob);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async *#stream(member: Member): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < member.sizeBytes; ) {
      const part = Buffer.allocUnsafe(Math.min(READ_BYTES, member.sizeBytes - done));
      const { bytesRead } = await this.#file.read(part, 0, part.length, member.start + done);
      if (bytesRead === 0) return;
      done += bytesRead;
      yield part.subarray(0, bytesRead);
    }
  }
}

/** Reads the headers only: bodies are put in from outside, so to speak, and stay unread. */
async function listMembers(file: FileHandle): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  const parser = new TarParser(
    {
      inline: () => {},
      body: () => {},
      entry: (entry) => {
        if (entry.kind !== "file") return;
        const name = displayText(entry.path).replace(/^(\.?\/)+/, "");
        members.set(name, { start: parser.streamBytes, sizeBytes: entry.sizeBytes });
      },
    },
    0,
  );
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, parser.streamBytes);
    if (bytesRead === 0) break;
    parser.push(block.subarray(0, bytesRead));
    if (parser.bodyIsDue) parser.pushExternal("");
  }
  parser.finish();
  return members;
}
