/** Dump text read (spec/erofs.md 4): refuses what either reference tool refuses. */
import { isUtf8 } from "node:buffer";
import type { ByteString } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { newDirectory } from "./create.ts";
import { atLine, checkPathBelow, parseDumpPath } from "./dump-fields.ts";
import { type DumpDialect, leafOfLine } from "./dump-leaf.ts";
import { DumpLine } from "./dump-line.ts";
import { HardLinkResolver } from "./dump-links.ts";
import { parseXattrs, XattrInterner } from "./dump-xattrs.ts";
import { kindOfMode, PERMISSION_MASK } from "./file-type.ts";
import type { DirectoryNode, Metadata } from "./node.ts";

export interface DumpOptions {
  /** Whose limits and precedences apply; default `c`, the wider one. */
  readonly dialect?: DumpDialect;
  /** Accept times before 1970, which composefs-rs writes but does not read. Default false. */
  readonly allowNegativeTimes?: boolean;
}

/**
 * Parses the dump text of a whole tree.
 *
 * Hard links may come before their target in the `c` dialect. A missing last newline is accepted.
 * @throws SealrootError `corrupt` with the line's number
 */
export function parseDump(text: Uint8Array, options: DumpOptions = {}): DirectoryNode {
  if (!isUtf8(text)) throw corrupt("Cannot parse dump file: it is not UTF-8; other bytes must be escaped");
  const parser = new DumpParser(options);
  const line = new DumpLine(text);
  for (let lineNumber = 1; line.advance(); lineNumber++) {
    atLine(lineNumber, () => {
      line.read();
      parser.addLine(line, lineNumber);
    });
  }
  return parser.finish();
}

class DumpParser {
  readonly #dialect: DumpDialect;
  readonly #allowNegativeTimes: boolean;
  /** By path; the root's is empty. */
  readonly #directories = new Map<string, DirectoryNode>();
  readonly #interner = new XattrInterner();
  readonly #links: HardLinkResolver;
  #root: DirectoryNode | undefined;

  constructor(options: DumpOptions) {
    this.#dialect = options.dialect ?? "c";
    this.#allowNegativeTimes = options.allowNegativeTimes ?? false;
    this.#links = new HardLinkResolver(this.#directories, this.#dialect === "c");
  }

  addLine(line: DumpLine, lineNumber: number): void {
    const kind = kindOfMode(line.mode);
    if (kind === undefined) throw corrupt(`mode ${line.mode.toString(8)} has no known file type`);
    if (line.path === "/") {
      this.#addRoot(line, kind);
      return;
    }
    const name = line.nameIn(line.path);
    const parent = this.#parentOf(line.path, name);
    if (parent.entries.has(name)) throw corrupt("the path was listed before");
    if (line.isHardLink) {
      if (kind === "directory") throw corrupt("a hard link with the mode of a directory");
      this.#links.add({ parent, name, path: line.path, target: line.payload, lineNumber });
    } else if (kind === "directory") {
      const directory = directoryOfLine(line, this.#metadata(line));
      this.#directories.set(line.path, directory);
      parent.entries.set(name, directory);
    } else {
      const { leaf, linkCount } = leafOfLine(line, kind, this.#metadata(line), this.#dialect);
      parent.entries.set(name, leaf);
      if (linkCount !== 1) this.#links.stateLinkCount(leaf, linkCount);
    }
  }

  finish(): DirectoryNode {
    if (this.#root === undefined) throw corrupt("Cannot parse dump file: it is empty");
    this.#links.finish();
    return this.#root;
  }

  #addRoot(line: DumpLine, kind: string): void {
    if (this.#root !== undefined) throw corrupt("a second root");
    if (line.isHardLink || kind !== "directory") throw corrupt("the root is not a directory");
    this.#root = directoryOfLine(line, this.#metadata(line));
    this.#directories.set("", this.#root);
  }

  #parentOf(path: ByteString, name: ByteString): DirectoryNode {
    if (this.#root === undefined) throw corrupt("the first line is not the root");
    const isAbsolute = path.startsWith("/");
    const parent = isAbsolute ? this.#directories.get(path.slice(0, path.length - name.length - 1)) : undefined;
    if (parent === undefined) {
      parseDumpPath(path);
      throw corrupt("no directory of the path's parent was listed before");
    }
    checkPathBelow(path, name);
    return parent;
  }

  #metadata(line: DumpLine): Metadata {
    const { seconds, nanoseconds } = line.mtime(this.#allowNegativeTimes);
    return {
      mode: line.mode & PERMISSION_MASK,
      uid: line.uid,
      gid: line.gid,
      mtimeSeconds: seconds,
      mtimeNanoseconds: nanoseconds,
      xattrs: parseXattrs(line.xattrTexts, this.#interner),
    };
  }
}

function directoryOfLine(line: DumpLine, metadata: Metadata): DirectoryNode {
  line.checkUnusedNumbers();
  if (line.rdev !== 0) throw corrupt("a device number on a directory");
  if (line.payload !== undefined || line.content !== undefined || line.digest !== undefined) {
    throw corrupt("payload, content or digest on a directory");
  }
  return newDirectory(metadata);
}
