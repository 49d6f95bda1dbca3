/** A tree of many small files, the same on every machine, like a large system or a container host's cache. */
import { linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../src/bytes/index.ts";
import { setXattr } from "../src/platform/index.ts";
import { Random } from "./random.ts";

/** Shares of the entries, in a thousand; the rest are files. */
const DIRECTORIES = 80;
const SYMLINKS = 80;
const HARD_LINKS = 10;
/** Shares of the files, in a thousand. */
const EMPTY_FILES = 20;
const INLINE_FILES = 80;
const LARGE_FILES = 2;
const DUPLICATE_FILES = 30;
const FILES_WITH_XATTRS = 50;

/** Bounds of sizes, log-uniform between them: half of the small files are below 1 KiB, as in /usr of a distribution. */
const INLINE_MAX_BYTES = 64;
const SMALL_MAX_BYTES = 16 << 10;
const LARGE_MAX_BYTES = 1 << 20;
/** Directories a bootable image must have; everything else is below /usr. */
const TOP_DIRECTORIES = ["usr", "boot", "sysroot", "run", "etc", "var"];
const DEPTH_MAX = 9;
const TIME_SECONDS = 1_790_000_000;
const WORDS =
  "lib share locale config python module test data image icon service kernel driver format cache index".split(" ");
const SUFFIXES = [".so", ".py", ".h", ".conf", ".svg", ".mo", ".json", ".ko.xz", ".txt", ""];

/** Makes the tree below `root`, which must not exist, with exactly `entryCount` entries, the root counted. */
export function makeSyntheticTree(root: string, entryCount: number): void {
  new TreeMaker(root).make(entryCount);
}

class TreeMaker {
  readonly #random = new Random(0x5ea1);
  readonly #content: Buffer;
  /** Those of the last depth are not in here: nothing goes into them. */
  readonly #directories: { readonly path: string; readonly depth: number }[] = [];
  readonly #allDirectories: string[] = [];
  readonly #files: string[] = [];
  #entries = 0;

  constructor(root: string) {
    this.#content = Buffer.alloc(LARGE_MAX_BYTES);
    for (let at = 0; at < LARGE_MAX_BYTES; at += 4) this.#content.writeUInt32LE(this.#random.next(), at);
    this.#addDirectory(root, 0);
    for (const name of TOP_DIRECTORIES) this.#addDirectory(join(root, name), 1);
    this.#directories.splice(0, this.#directories.length, { path: join(root, "usr"), depth: 1 });
  }

  make(entryCount: number): void {
    while (this.#entries < entryCount) {
      const kind = this.#random.below(1000);
      const parent = this.#random.of(this.#directories);
      const path = join(parent.path, this.#name());
      if (kind < DIRECTORIES) this.#addDirectory(path, parent.depth + 1);
      else if (kind < DIRECTORIES + SYMLINKS) this.#addSymlink(path);
      else if (kind < DIRECTORIES + SYMLINKS + HARD_LINKS && this.#files.length > 0) this.#addHardLink(path);
      else this.#addFile(path);
    }
    // Last, since every new entry has touched its directory's time.
    for (const path of this.#allDirectories) utimesSync(path, TIME_SECONDS, TIME_SECONDS);
  }

  #addDirectory(path: string, depth: number): void {
    mkdirSync(path);
    if (depth < DEPTH_MAX) this.#directories.push({ path, depth });
    this.#allDirectories.push(path);
    this.#entries++;
  }

  #addSymlink(path: string): void {
    symlinkSync(`../${this.#random.of(WORDS)}/${this.#name()}`, path);
    this.#entries++;
  }

  #addHardLink(path: string): void {
    linkSync(this.#random.of(this.#files), path);
    this.#entries++;
  }

  #addFile(path: string): void {
    writeFileSync(path, this.#fileContent());
    if (this.#random.below(1000) < FILES_WITH_XATTRS) {
      setXattr(path, "user.origin" as ByteString, Buffer.from(`package ${this.#random.below(400)}`));
    }
    const seconds = TIME_SECONDS - this.#random.below(10_000_000);
    utimesSync(path, seconds, seconds + this.#random.below(1000) / 1000);
    this.#files.push(path);
    this.#entries++;
  }

  #fileContent(): Uint8Array {
    const kind = this.#random.below(1000);
    if (kind < EMPTY_FILES) return this.#content.subarray(0, 0);
    if (kind < EMPTY_FILES + INLINE_FILES) return this.#bytes(this.#random.size(1, INLINE_MAX_BYTES));
    if (kind < EMPTY_FILES + INLINE_FILES + LARGE_FILES) {
      return this.#bytes(this.#random.size(SMALL_MAX_BYTES, LARGE_MAX_BYTES));
    }
    const sizeBytes = this.#random.size(INLINE_MAX_BYTES + 1, SMALL_MAX_BYTES);
    if (this.#random.below(1000) < DUPLICATE_FILES) return this.#content.subarray(0, sizeBytes);
    return this.#bytes(sizeBytes);
  }

  /** Bytes that no other file has, from length 8 on. */
  #bytes(sizeBytes: number): Uint8Array {
    const bytes = Buffer.from(this.#content.subarray(0, sizeBytes));
    if (sizeBytes >= 8) bytes.writeDoubleLE(this.#entries, 0);
    return bytes;
  }

  /** Unique by the entry's number. */
  #name(): string {
    const words = Array.from({ length: 1 + this.#random.below(3) }, () => this.#random.of(WORDS));
    return `${words.join("-")}-${this.#entries.toString(36)}${this.#random.of(SUFFIXES)}`;
  }
}
