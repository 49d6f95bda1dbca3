/** The xattrs each inode carries, in their order (spec/erofs.md 3.4, 3.5). */
import { type ByteString, byteString, compareByteStrings } from "../bytes/index.ts";
import type { DumpDialect } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import {
  type Epoch,
  ESCAPED_OVERLAY_PREFIX,
  METACOPY_XATTR,
  OPAQUE_MARKS,
  OPAQUE_XATTR,
  OVERLAY_PREFIX,
  WHITEOUT_MARKS,
  WHITEOUTS_MARKS,
} from "./format.ts";
import type { Inode } from "./inode.ts";
import { OverlayXattrs } from "./overlay-xattrs.ts";
import type { XattrEntry } from "./xattr-entry.ts";
import type { XattrTable } from "./xattr-table.ts";

/** What determines an image's xattrs besides the tree. */
export interface XattrRules {
  readonly epoch: Epoch;
  readonly dialect: DumpDialect;
  readonly algorithm: VerityAlgorithm;
  /** The header's composefs_version. */
  readonly version: number;
}

type NameAndValue = [name: ByteString, value: ByteString];

/** Finds all inodes' xattrs. First every inode is added, then the lists can be requested. */
export class InodeXattrs {
  readonly #rules: XattrRules;
  readonly #table: XattrTable;
  readonly #overlay: OverlayXattrs;

  constructor(rules: XattrRules, table: XattrTable) {
    this.#rules = rules;
    this.#table = table;
    this.#overlay = new OverlayXattrs(rules.dialect, rules.algorithm, table);
  }

  /** Adds all inodes of the image, the root first, and lays out the table. */
  addAll(inodes: readonly Inode[]): void {
    const root = inodes[0];
    for (const inode of inodes) {
      if (inode.node.kind === "file" && inode.node.content.type === "external") this.#overlay.count(inode.node.content);
      this.#addOwn(inode, inode === root);
    }
    this.#overlay.addShared();
    this.#table.layOut();
  }

  /** An inode's whole list in the order of storage. */
  listOf(inode: Inode): readonly XattrEntry[] {
    const { node, xattrs } = inode;
    if (node.kind !== "file" || node.content.type !== "external") return xattrs;
    const overlay = this.#overlay.entriesOf(node.content);
    const last = xattrs.at(-1);
    if (last === undefined) return overlay;
    if (this.#rules.epoch === 2) return overlay.concat(xattrs);
    if (last.name.full < METACOPY_XATTR) return xattrs.concat(overlay);
    return overlay.concat(xattrs).sort((a, b) => compareByteStrings(a.name.full, b.name.full));
  }

  #addOwn(inode: Inode, isRoot: boolean): void {
    const { xattrs } = inode.node.metadata;
    const hasMarks = isRoot || inode.holdsWhiteouts || inode.isEscapedWhiteout;
    if (!hasMarks && xattrs.size === 0) return;
    const list: NameAndValue[] = [];
    xattrs.forEach((value, name) => {
      list.push([name, byteString(value)]);
    });
    if (list.length > 1) list.sort(([a], [b]) => compareByteStrings(a, b));
    for (const pair of list) pair[0] = escapeName(pair[0]);
    const ordered = hasMarks ? this.#withMarks(list, inode, isRoot) : this.#inOrder(list);
    inode.xattrs = ordered.map((pair) => this.#table.use(pair[0], pair[1]));
  }

  /** The C tool sets its marks by name, so they replace the user's; composefs-rs stores both. */
  #withMarks(list: NameAndValue[], inode: Inode, isRoot: boolean): NameAndValue[] {
    list.push(...this.#marks(inode, isRoot));
    return this.#inOrder(this.#rules.dialect === "c" ? [...new Map(list)] : list);
  }

  #marks(inode: Inode, isRoot: boolean): NameAndValue[] {
    if (this.#rules.epoch === 2) return [];
    const marks: [string, string][] = [];
    if (inode.isEscapedWhiteout) marks.push(...WHITEOUT_MARKS.map((name): [string, string] => [name, ""]));
    if (inode.holdsWhiteouts) {
      marks.push(...WHITEOUTS_MARKS.map((name): [string, string] => [name, ""]));
      if (this.#rules.version === 1) marks.push(...OPAQUE_MARKS.map((name): [string, string] => [name, "x"]));
    }
    if (isRoot) marks.push([OPAQUE_XATTR, "y"]);
    return marks as NameAndValue[];
  }

  /** Epoch 2 keeps the order of the user's names before escaping, which the list already has. */
  #inOrder(list: NameAndValue[]): NameAndValue[] {
    if (this.#rules.epoch === 2 || list.length < 2) return list;
    return list.sort(
      ([nameA, valueA], [nameB, valueB]) =>
        compareByteStrings(nameA, nameB) || valueA.length - valueB.length || compareByteStrings(valueA, valueB),
    );
  }
}

function escapeName(name: ByteString): ByteString {
  if (!name.startsWith(OVERLAY_PREFIX)) return name;
  return (ESCAPED_OVERLAY_PREFIX + name.slice(OVERLAY_PREFIX.length)) as ByteString;
}
