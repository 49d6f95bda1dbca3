/**
 * Writes the debugfs(8) script that fills a root file system.
 *
 * Everything is created by the script and nothing by `mke2fs -d`: debugfs makes inodes owned by 0:0 with all four times
 * equal to E2FSPROGS_FAKE_TIME, in the order of the script. So no time, owner or directory order of the building host
 * gets in, and only what differs costs a command.
 */
import { type ByteString, byteStringOfText, displayText } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { FILE_TYPE_BITS, type Metadata } from "../tree/index.ts";
import type { DiskEntry } from "./ext4-entry.ts";

/** ext4 inode flags: EXTENTS and VERITY (spec/boot-chain.md A). */
const VERITY_FILE_FLAGS = "0x180000";
/** debugfs reads lines into a buffer of BUFSIZ (8192) bytes and cuts longer ones. */
const LINE_LIMIT_BYTES = 8000;
/** What debugfs gives a new inode: a directory 0755, a link 0777; special files have none. Files take the source's. */
const DEFAULT_MODE = {
  directory: 0o755,
  symlink: 0o777,
  fifo: -1,
  "character-device": -1,
  "block-device": -1,
} as const;

export interface ScriptOptions {
  /** Time of the disk, seconds since 1970, equal to E2FSPROGS_FAKE_TIME of the debugfs that runs the script. */
  readonly epochSeconds: number;
  /** Permission bits of a source file, which `write` copies. */
  readonly modeOf: (source: string) => number;
  /** Keeps an xattr value in a file and returns its path: `ea_set` takes binary values from files only. */
  readonly keepValue: (value: Uint8Array) => string;
}

export interface Script {
  readonly bytes: Uint8Array;
  readonly commandCount: number;
}

/**
 * The script for all entries, in their order.
 *
 * @throws SealrootError `unsupported` for a name or path that debugfs cannot be given: one with a line break, or far
 *   longer than the kernel's own limits
 */
export function populationScript(entries: readonly DiskEntry[], options: ScriptOptions): Script {
  const writer = new ScriptWriter(options);
  for (const entry of entries) writer.add(entry);
  return writer.finish();
}

class ScriptWriter {
  readonly #options: ScriptOptions;
  readonly #lines: string[] = [];
  readonly #linkCounts = new Map<ByteString, number>();
  #directory: string | undefined;

  constructor(options: ScriptOptions) {
    this.#options = options;
  }

  finish(): Script {
    const text = this.#lines.length === 0 ? "" : `${this.#lines.join("\n")}\n`;
    return { bytes: Buffer.from(text, "latin1"), commandCount: this.#lines.length };
  }

  add(entry: DiskEntry): void {
    if (entry.path === "") {
      this.#describeRoot(entry);
      return;
    }
    const slash = entry.path.lastIndexOf("/");
    this.#enter(slash < 0 ? "" : entry.path.slice(0, slash));
    const name = entry.path.slice(slash + 1) as ByteString;
    const quotedName = quote(name);
    if (entry.kind === "hard-link") {
      this.#addLink(entry.existing, quotedName, quote(`./${name}`));
      return;
    }
    this.#command(`${creation(entry)} ${operands(entry, quotedName)}`);
    this.#describe(entry, quote(`./${name}`));
  }

  /** mke2fs has made the root directory. */
  #describeRoot(entry: DiskEntry): void {
    if (entry.kind !== "directory") throw corrupt(`Cannot write the root file system: its root is a ${entry.kind}`);
    this.#describe(entry, "/");
  }

  #enter(directory: string): void {
    if (directory === this.#directory) return;
    this.#command(`cd ${quote(`/${directory}`)}`);
    this.#directory = directory;
  }

  /** debugfs makes the name only; the count is ours to keep. */
  #addLink(existing: ByteString, quotedName: string, quotedPath: string): void {
    const count = (this.#linkCounts.get(existing) ?? 1) + 1;
    this.#linkCounts.set(existing, count);
    this.#command(`ln ${quote(`/${existing}`)} ${quotedName}`);
    this.#command(`sif ${quotedPath} links_count ${count}`);
  }

  #describe(entry: Exclude<DiskEntry, { kind: "hard-link" }>, path: string): void {
    const { metadata } = entry;
    for (const [name, value] of [...metadata.xattrs].sort(byName)) {
      this.#command(`ea_set -f ${quote(byteStringOfText(this.#options.keepValue(value)))} ${path} ${quote(name)}`);
    }
    const createdMode = entry.kind === "file" ? this.#options.modeOf(entry.source) : DEFAULT_MODE[entry.kind];
    if (metadata.mode !== createdMode) {
      this.#command(`sif ${path} mode 0${(FILE_TYPE_BITS[entry.kind] | metadata.mode).toString(8)}`);
    }
    if (metadata.uid !== 0) this.#command(`sif ${path} uid ${metadata.uid}`);
    if (metadata.gid !== 0) this.#command(`sif ${path} gid ${metadata.gid}`);
    this.#setTimes(metadata, path);
    if (entry.kind === "file" && entry.veritySizeBytes !== undefined) {
      this.#command(`sif ${path} size ${entry.veritySizeBytes}`);
      this.#command(`sif ${path} flags ${VERITY_FILE_FLAGS}`);
    }
  }

  #setTimes(metadata: Metadata, path: string): void {
    const time = ext4Time(metadata);
    if (time.seconds === BigInt(this.#options.epochSeconds) && time.extra === 0) return;
    for (const field of ["atime", "mtime"]) {
      this.#command(`sif ${path} ${field} @${time.seconds}`);
      this.#command(`sif ${path} ${field}_extra ${time.extra}`);
    }
  }

  #command(line: string): void {
    // debugfs cuts a line of its script at the first LF or CR, inside quotes too.
    const hasLineBreak = /[\n\r]/.test(line);
    if (hasLineBreak || line.length > LINE_LIMIT_BYTES) {
      const reason = hasLineBreak ? "it has a line break" : "it is too long";
      throw new SealrootError("unsupported", `Cannot write a name to the root file system: ${reason}`, {
        path: displayText(line.slice(0, 512) as ByteString),
        hint: "rename the file in the image",
      });
    }
    this.#lines.push(line);
  }
}

function creation(entry: Exclude<DiskEntry, { kind: "hard-link" }>): string {
  if (entry.kind === "directory") return "mkdir";
  if (entry.kind === "file") return "write";
  return entry.kind === "symlink" ? "symlink" : "mknod";
}

function operands(entry: Exclude<DiskEntry, { kind: "hard-link" }>, quotedName: string): string {
  switch (entry.kind) {
    case "directory":
      return quotedName;
    case "file":
      return `${quote(byteStringOfText(entry.source))} ${quotedName}`;
    case "symlink":
      return `${quotedName} ${quote(entry.target)}`;
    case "fifo":
      return `${quotedName} p`;
    case "character-device":
      return `${quotedName} c ${entry.major} ${entry.minor}`;
    case "block-device":
      return `${quotedName} b ${entry.major} ${entry.minor}`;
  }
}

/** ss's only quoting: double quotes around, doubled within. Bare words stay bare, which halves the script. */
function quote(text: string): string {
  return /^[A-Za-z0-9_.:/-]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
}

const MINIMUM_SECONDS = -(2n ** 31n);
const MAXIMUM_SECONDS = 2n ** 34n - 2n ** 31n - 1n;

/**
 * A time as ext4 stores it: the low 32 bits, and an extra field with two more bits of seconds and the nanoseconds
 * (Linux Documentation/filesystems/ext4/inodes.rst, "Inode Timestamps"). Times out of range are clamped as the kernel does.
 */
function ext4Time(metadata: Metadata): { seconds: bigint; extra: number } {
  const wanted = metadata.mtimeSeconds;
  const seconds = wanted < MINIMUM_SECONDS ? MINIMUM_SECONDS : wanted > MAXIMUM_SECONDS ? MAXIMUM_SECONDS : wanted;
  const epochBits = Number(((seconds - BigInt.asIntN(32, seconds)) >> 32n) & 3n);
  return { seconds, extra: metadata.mtimeNanoseconds * 4 + epochBits };
}

function byName(a: [ByteString, Uint8Array], b: [ByteString, Uint8Array]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
