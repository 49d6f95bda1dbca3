/** Table of contents and tar-split data of a tar being compressed (spec/chunked-and-policy.md 1.3, 1.5). */
import type { ByteString } from "../bytes/index.ts";
import type { TarEntry } from "../tar/index.ts";
import { ZstdEncoder } from "../zstd/index.ts";
import { TarSplitWriter } from "./tar-split.ts";
import { modificationTimeNs, type TocContent, type TocEntry } from "./toc.ts";

/** Raw bytes are cut into lines of at most this (spec 1.5: trailer). */
const LINE_PAYLOAD_BYTES = 1 << 20;
/** The library's default; the data are headers and compress well at any level. */
const TAR_SPLIT_LEVEL = 3;

/** What {@link TocRecorder.finish} returns. */
export interface RecordedToc {
  readonly entries: readonly TocEntry[];
  /** Compressed, and its size before. */
  readonly tarSplit: Uint8Array;
  readonly tarSplitBytes: number;
}

/**
 * Records the entries of one tar. Anything that such a table cannot describe ({@link refusal}) ends the recording; the
 * tar can still be compressed.
 */
export class TocRecorder {
  readonly #encoder = new ZstdEncoder(TAR_SPLIT_LEVEL);
  readonly #lines: TarSplitWriter;
  readonly #entries: TocEntry[] = [];
  readonly #paths = new Set<string>();
  #raw: Uint8Array[] = [];
  #rawBytes = 0;
  #lineBytes = 0;
  #refusal: string | undefined;

  constructor() {
    this.#lines = new TarSplitWriter((line) => {
      this.#lineBytes += line.length;
      this.#encoder.write(line);
    });
  }

  /** Why there is no table; undefined while there can be one. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  refuse(reason: string): void {
    this.#refusal ??= reason;
  }

  /** Bytes of the tar that are not a body; they are copied. */
  raw(bytes: Uint8Array): void {
    if (this.#refusal !== undefined) return;
    for (let at = 0; at < bytes.length; ) {
      const part = new Uint8Array(bytes.subarray(at, at + LINE_PAYLOAD_BYTES - this.#rawBytes));
      this.#raw.push(part);
      this.#rawBytes += part.length;
      at += part.length;
      if (this.#rawBytes === LINE_PAYLOAD_BYTES) this.#endRaw();
    }
  }

  /**
   * An entry whose headers have been given to {@link raw}, and whose body has been read.
   * @param content of a file that is not empty; its chunks may be completed until {@link finish}
   * @param checksum CRC-64 of the body
   */
  entry(entry: TarEntry, content: TocContent | undefined, checksum: Uint8Array | undefined): void {
    const reason = reasonAgainst(entry) ?? this.#reasonAgainstPath(entry.path);
    if (reason !== undefined) this.refuse(reason);
    if (this.#refusal !== undefined || entry.kind === "unknown") return;
    this.#endRaw();
    this.#lines.body(entry.path, entry.sizeBytes, checksum);
    const isLink = entry.kind === "hardlink" || entry.kind === "symlink";
    this.#entries.push({
      kind: entry.kind,
      name: entry.path,
      linkPath: isLink ? entry.linkPath : undefined,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      sizeBytes: entry.sizeBytes,
      modificationTimeNs: modificationTimeNs(entry),
      accessTimeNs: entry.accessTimeNs,
      changeTimeNs: entry.changeTimeNs,
      xattrs: entry.xattrs,
      device: entry.device ?? { major: 0, minor: 0 },
      content,
    });
  }

  /** Resolves when the compressor has caught up. */
  async drained(): Promise<void> {
    await this.#encoder.drained();
  }

  async finish(): Promise<RecordedToc> {
    this.#endRaw();
    return { entries: this.#entries, tarSplit: await this.#encoder.finish(), tarSplitBytes: this.#lineBytes };
  }

  #endRaw(): void {
    if (this.#rawBytes > 0) this.#lines.bytes(Buffer.concat(this.#raw));
    this.#raw = [];
    this.#rawBytes = 0;
  }

  /** The reference refuses two entries with the same cleaned path (spec 1.5). */
  #reasonAgainstPath(path: ByteString): string | undefined {
    const components = path.split("/").filter((component) => component !== "" && component !== ".");
    if (components.includes("..")) return "a path has a .. in it";
    const cleaned = `${path.startsWith("/") ? "/" : ""}${components.join("/")}`;
    if (this.#paths.has(cleaned)) return "two entries have the same path";
    this.#paths.add(cleaned);
    return undefined;
  }
}

/** Why a table cannot describe this entry; undefined if it can. */
export function reasonAgainst(entry: TarEntry): string | undefined {
  if (entry.kind === "unknown") return `entry type "${entry.typeFlag}"`;
  if (entry.sparse !== undefined) return "a sparse file";
  // Readers disagree on whether these are files.
  const isOldDirectory = entry.kind === "directory" && entry.typeFlag !== "5";
  return isOldDirectory ? "a directory is written as a file whose name ends with a slash" : undefined;
}
