/** A tar file whose members are read in place. */
import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { posix } from "node:path";
import { type ByteString, displayText } from "../../bytes/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { filePieces } from "../../platform/index.ts";
import { BLOCK_BYTES, SPARSE_HINT, TarParser } from "../../tar/index.ts";
import { DOCUMENT_MAX_BYTES } from "../documents.ts";
import { compressionOf } from "../layer-compression.ts";

/** Links between members that are followed before a circle is assumed. */
const LINKS_MAX = 16;

/** A regular file in the archive. */
export interface TarFileMember {
  /** Its own name, links followed, without leading `./`. */
  readonly name: string;
  readonly start: number;
  readonly sizeBytes: number;
}

/** What a name is: a file, or a link to another name. */
type Listed = TarFileMember | { readonly target: string };

/** Members by their names without leading `./`; opened once, until {@link close}. */
export class TarFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #members: ReadonlyMap<string, Listed>;

  private constructor(path: string, file: FileHandle, members: ReadonlyMap<string, Listed>) {
    this.path = path;
    this.#file = file;
    this.#members = members;
  }

  /**
   * @param what names the kind of file in errors, such as `OCI archive`
   * @throws SealrootError `not-found`, `corrupt` when the file is not a tar archive, `unsupported` when it is
   *   compressed
   */
  static async open(path: string, what: string): Promise<TarFile> {
    const file = await open(path).catch((error: unknown) => {
      throw asSealrootError(error, `Cannot open ${what}`, { path });
    });
    try {
      await refuseCompressed(file, path, what);
      return new TarFile(path, file, await listMembers(file));
    } catch (error) {
      await file.close();
      throw asSealrootError(error, `Cannot open ${what}`, { path });
    }
  }

  /** The regular file a name leads to, through links between members; undefined when there is none. */
  find(name: string): TarFileMember | undefined {
    let member = this.#members.get(normalised(name));
    for (let links = 0; member !== undefined && "target" in member; links++) {
      if (links === LINKS_MAX) return undefined;
      member = this.#members.get(member.target);
    }
    return member;
  }

  /** @throws SealrootError `not-found`, or `unsupported` above {@link DOCUMENT_MAX_BYTES} */
  async readDocument(name: string): Promise<Uint8Array> {
    const member = this.find(name);
    if (member === undefined) {
      throw new SealrootError("not-found", `Cannot read ${this.path}: it has no member ${name}`, { path: this.path });
    }
    if (member.sizeBytes > DOCUMENT_MAX_BYTES) {
      const limit = `${name} exceeds ${DOCUMENT_MAX_BYTES} bytes`;
      throw new SealrootError("unsupported", `Cannot read ${this.path}: ${limit}`, { path: this.path });
    }
    const parts: Uint8Array[] = [];
    for await (const part of this.read(member)) parts.push(Uint8Array.from(part));
    return Buffer.concat(parts);
  }

  /** The member's bytes in parts, each valid until the next is requested; fewer than its size if the file is truncated. */
  read({ start, sizeBytes }: TarFileMember): AsyncGenerator<Uint8Array> {
    return filePieces(this.#file, start, start + sizeBytes);
  }

  /** Where the opened file is, whatever its name leads to by now: absolute, without symbolic links. */
  async place(): Promise<string> {
    return readlink(`/proc/self/fd/${this.#file.fd}`).catch(() => realpath(this.path));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Members are read in place, and repeatedly: a compressed file would have to be unpacked completely. */
async function refuseCompressed(file: FileHandle, path: string, what: string): Promise<void> {
  const head = Buffer.alloc(4);
  // The next reader reports what cannot be read.
  await file.read(head, 0, head.length, 0).catch(() => undefined);
  const compression = compressionOf(head);
  if (compression === "none") return;
  const problem = `Cannot open ${what} ${path}: it is compressed (${compression}), and members are read in place`;
  throw new SealrootError("unsupported", problem, { path, hint: `decompress it first: ${compression} -d` });
}

function normalised(name: string): string {
  return posix.normalize(name).replace(/^(\.?\/)+/, "");
}

function sparseMember(path: ByteString): SealrootError {
  const what = `Cannot read member ${displayText(path)}: it is stored as a sparse file`;
  return new SealrootError("unsupported", what, { path: displayText(path), hint: SPARSE_HINT });
}

/** Reads only the headers: bodies stay unread. */
async function listMembers(file: FileHandle): Promise<Map<string, Listed>> {
  const members = new Map<string, Listed>();
  const parser = new TarParser(
    {
      inline: () => {},
      body: () => {},
      entry: ({ kind, path, sizeBytes, linkPath, sparse }) => {
        if (sparse !== undefined) throw sparseMember(path);
        const name = normalised(displayText(path));
        const link = linkPath === undefined ? "" : displayText(linkPath);
        if (kind === "file") members.set(name, { name, start: parser.streamBytes, sizeBytes });
        else if (kind === "hardlink") members.set(name, { target: normalised(link) });
        else if (kind === "symlink") members.set(name, { target: normalised(posix.join(posix.dirname(name), link)) });
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
