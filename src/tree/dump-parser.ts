/** Dump text read (spec/erofs.md 4): refuses what either reference tool refuses. */
import { isUtf8 } from "node:buffer";
import { type ByteString, byteString, bytesOf } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { newDirectory } from "./create.ts";
import { atLine, type DumpFields, parseDecimal, parseDumpPath, parseMtime, splitDumpLine } from "./dump-fields.ts";
import { type DumpDialect, leafOfFields } from "./dump-leaf.ts";
import { HardLinkResolver } from "./dump-links.ts";
import { parseXattrs, XattrInterner } from "./dump-xattrs.ts";
import { kindOfMode, PERMISSION_MASK } from "./file-type.ts";
import type { DirectoryNode, Metadata } from "./node.ts";

/** Longer than any line can be whose fields keep their limits, every byte of them escaped. */
const LINE_MAX_BYTES = 4 << 20;

export interface DumpOptions {
  /** Whose limits and precedences hold; default `c`, the wider one. */
  readonly dialect?: DumpDialect;
  /** Take times before 1970, which composefs-rs writes but does not read. Default false. */
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
  let lineNumber = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(0x0a, start);
    const end = newline === -1 ? text.length : newline;
    lineNumber++;
    atLine(lineNumber, () => {
      if (end - start > LINE_MAX_BYTES) throw corrupt(`${end - start} bytes, over ${LINE_MAX_BYTES}`);
      parser.addLine(byteString(text, start, end), lineNumber);
    });
    start = end + 1;
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

  addLine(line: ByteString, lineNumber: number): void {
    const fields = splitDumpLine(line);
    const name = detached(parseDumpPath(fields.path).at(-1));
    const kind = kindOfMode(fields.mode);
    if (kind === undefined) throw corrupt(`mode ${fields.mode.toString(8)} has no known file type`);
    if (name === undefined) {
      this.#addRoot(fields, kind);
      return;
    }
    const parent = this.#parentOf(fields.path, name);
    if (parent.entries.has(name)) throw corrupt("the path was listed before");
    if (fields.isHardLink) {
      if (kind === "directory") throw corrupt("a hard link with the mode of a directory");
      this.#links.add({ parent, name, path: fields.path, target: fields.payload, lineNumber });
    } else if (kind === "directory") {
      const directory = directoryOfFields(fields, this.#metadata(fields));
      this.#directories.set(fields.path, directory);
      parent.entries.set(name, directory);
    } else {
      const { leaf, linkCount } = leafOfFields(fields, kind, this.#metadata(fields), this.#dialect);
      parent.entries.set(name, leaf);
      if (linkCount !== 1) this.#links.stateLinkCount(leaf, linkCount);
    }
  }

  finish(): DirectoryNode {
    if (this.#root === undefined) throw corrupt("Cannot parse dump file: it is empty");
    this.#links.finish();
    return this.#root;
  }

  #addRoot(fields: DumpFields, kind: string): void {
    if (this.#root !== undefined) throw corrupt("a second root");
    if (fields.isHardLink || kind !== "directory") throw corrupt("the root is not a directory");
    this.#root = directoryOfFields(fields, this.#metadata(fields));
    this.#directories.set("", this.#root);
  }

  #parentOf(path: ByteString, name: ByteString): DirectoryNode {
    if (this.#root === undefined) throw corrupt("the first line is not the root");
    const parent = this.#directories.get(path.slice(0, path.length - name.length - 1));
    if (parent === undefined) throw corrupt("no directory of the path's parent was listed before");
    return parent;
  }

  #metadata(fields: DumpFields): Metadata {
    const { seconds, nanoseconds } = parseMtime(fields.mtimeText, this.#allowNegativeTimes);
    return {
      mode: fields.mode & PERMISSION_MASK,
      uid: parseDecimal(fields.uidText, "uid"),
      gid: parseDecimal(fields.gidText, "gid"),
      mtimeSeconds: seconds,
      mtimeNanoseconds: nanoseconds,
      xattrs: parseXattrs(fields.xattrTexts, this.#interner),
    };
  }
}

function directoryOfFields(fields: DumpFields, metadata: Metadata): DirectoryNode {
  parseDecimal(fields.sizeText, "size", Number.MAX_SAFE_INTEGER);
  parseDecimal(fields.linkCountText, "link count");
  if (parseDecimal(fields.rdevText, "rdev") !== 0) throw corrupt("a device number on a directory");
  if (fields.payload !== undefined || fields.content !== undefined || fields.digest !== undefined) {
    throw corrupt("payload, content or digest on a directory");
  }
  return newDirectory(metadata);
}

/** The string on its own: a slice would keep its whole line in memory. */
function detached(string: ByteString | undefined): ByteString | undefined {
  return string === undefined ? undefined : byteString(bytesOf(string));
}
