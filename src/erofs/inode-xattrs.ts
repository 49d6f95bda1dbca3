/** The xattrs each inode carries, in their order (spec/erofs.md 3.4, 3.5). */
import { type ByteString, byteString, compareByteStrings } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { type DumpDialect, type FileContent, objectIdOfPath, objectPath } from "../tree/index.ts";
import { ALGORITHM_NUMBER, DIGEST_BYTES, type VerityAlgorithm } from "../verity/index.ts";
import {
  type Epoch,
  ESCAPED_OVERLAY_PREFIX,
  METACOPY_XATTR,
  OPAQUE_MARKS,
  OPAQUE_XATTR,
  OVERLAY_PREFIX,
  REDIRECT_XATTR,
  WHITEOUT_MARKS,
  WHITEOUTS_MARKS,
} from "./format.ts";
import type { Inode } from "./inode.ts";
import { XattrPair, type XattrTable } from "./xattr-table.ts";

const METACOPY = METACOPY_XATTR as ByteString;
const REDIRECT = REDIRECT_XATTR as ByteString;
const NO_VALUE = "" as ByteString;
/** Length of the metacopy value in front of the digest: version, length, flags, algorithm (struct ovl_metacopy). */
const METACOPY_HEADER_BYTES = 4;

type ExternalContent = Extract<FileContent, { type: "external" }>;

/** What decides on an image's xattrs besides the tree. */
export interface XattrRules {
  readonly epoch: Epoch;
  readonly dialect: DumpDialect;
  readonly algorithm: VerityAlgorithm;
  /** The header's composefs_version. */
  readonly version: number;
}

/**
 * Finds all inodes' xattrs. The two that name a file's object are not kept as pairs: with a million files they would
 * be the larger part of the writer's memory. They are counted here and made anew in {@link listOf}.
 */
export class InodeXattrs {
  readonly #rules: XattrRules;
  readonly #table: XattrTable;
  /** How many files have the metacopy of this digest, and how many the redirect made from this text. */
  readonly #metacopyUses = new Map<string, number>();
  readonly #redirectUses = new Map<string, number>();
  /** Those of them that several files have. */
  readonly #sharedMetacopies = new Map<string, XattrPair>();
  readonly #sharedRedirects = new Map<string, XattrPair>();

  constructor(rules: XattrRules, table: XattrTable) {
    this.#rules = rules;
    this.#table = table;
  }

  /** Takes in one inode; all of them go before the table is laid out. */
  add(inode: Inode, isRoot: boolean): void {
    const { content } = inode.node.kind === "file" ? inode.node : { content: undefined };
    if (content?.type === "external") this.#countOverlayPairs(content);
    if (inode.node.metadata.xattrs.size === 0 && !isRoot && !inode.holdsWhiteouts && !inode.isEscapedWhiteout) return;
    const list = [...this.#userXattrs(inode), ...this.#marks(inode, isRoot)];
    inode.xattrs = this.#inOrder(this.#withoutReplaced(list)).map(([name, value]) => this.#table.use(name, value));
  }

  /** Puts those metacopy and redirect values that several files have into the table. */
  addSharedOverlayPairs(): void {
    for (const [key, uses] of this.#metacopyUses) {
      if (uses > 1) this.#sharedMetacopies.set(key, this.#table.use(METACOPY, this.#metacopyValue(key), uses));
    }
    for (const [key, uses] of this.#redirectUses) {
      if (uses > 1) this.#sharedRedirects.set(key, this.#table.use(REDIRECT, redirectValue(key), uses));
    }
  }

  /** An inode's whole list in the order of storage. */
  listOf(inode: Inode): readonly XattrPair[] {
    if (inode.node.kind !== "file" || inode.node.content.type !== "external") return inode.xattrs;
    const overlay = this.#overlayPairs(inode.node.content);
    if (inode.xattrs.length === 0 || this.#rules.epoch === 2) return [...overlay, ...inode.xattrs];
    return [...overlay, ...inode.xattrs].sort((a, b) => compareByteStrings(a.name.full, b.name.full));
  }

  #userXattrs(inode: Inode): [ByteString, ByteString][] {
    const sorted = [...inode.node.metadata.xattrs].sort(([a], [b]) => compareByteStrings(a, b));
    return sorted.map(([name, value]) => [escapeName(name), byteString(value)]);
  }

  #marks(inode: Inode, isRoot: boolean): [ByteString, ByteString][] {
    if (this.#rules.epoch === 2) return [];
    const marks: [string, string][] = [];
    if (inode.isEscapedWhiteout) marks.push(...WHITEOUT_MARKS.map((name): [string, string] => [name, ""]));
    if (inode.holdsWhiteouts) {
      marks.push(...WHITEOUTS_MARKS.map((name): [string, string] => [name, ""]));
      if (this.#rules.version === 1) marks.push(...OPAQUE_MARKS.map((name): [string, string] => [name, "x"]));
    }
    if (isRoot) marks.push([OPAQUE_XATTR, "y"]);
    return marks as [ByteString, ByteString][];
  }

  /** The C tool sets its marks by name, so they replace the user's; composefs-rs stores both. */
  #withoutReplaced(list: [ByteString, ByteString][]): [ByteString, ByteString][] {
    return this.#rules.dialect === "c" ? [...new Map(list)] : list;
  }

  /** Epoch 2 keeps the order of the user's names before escaping, which the list has already. */
  #inOrder(list: [ByteString, ByteString][]): [ByteString, ByteString][] {
    if (this.#rules.epoch === 2) return list;
    return list.sort(
      ([nameA, valueA], [nameB, valueB]) =>
        compareByteStrings(nameA, nameB) || valueA.length - valueB.length || compareByteStrings(valueA, valueB),
    );
  }

  #countOverlayPairs(content: ExternalContent): void {
    const { objectId } = content;
    if (objectId !== undefined && objectId.length !== 2 * DIGEST_BYTES[this.#rules.algorithm]) {
      throw corrupt(`Cannot write EROFS image: object ${objectId} is not named by a ${this.#rules.algorithm} digest`);
    }
    increment(this.#metacopyUses, objectId ?? "");
    const redirect = this.#redirectKey(content);
    if (redirect !== undefined) increment(this.#redirectUses, redirect);
  }

  #overlayPairs(content: ExternalContent): XattrPair[] {
    const digest = content.objectId ?? "";
    const metacopy = this.#sharedMetacopies.get(digest) ?? this.#pair(METACOPY, this.#metacopyValue(digest));
    const key = this.#redirectKey(content);
    if (key === undefined) return [metacopy];
    return [metacopy, this.#sharedRedirects.get(key) ?? this.#pair(REDIRECT, redirectValue(key))];
  }

  #pair(name: ByteString, value: ByteString): XattrPair {
    return new XattrPair(this.#table.name(name), value);
  }

  #metacopyValue(objectId: string): ByteString {
    if (objectId === "") return NO_VALUE;
    const digest = Buffer.from(objectId, "hex").toString("latin1");
    const length = METACOPY_HEADER_BYTES + objectId.length / 2;
    if (METACOPY_HEADER_BYTES + digest.length !== length) {
      throw corrupt(`Cannot write EROFS image: object ${JSON.stringify(objectId)} is not named in hex`);
    }
    return `${String.fromCharCode(0, length, 0, ALGORITHM_NUMBER[this.#rules.algorithm])}${digest}` as ByteString;
  }

  /**
   * What the redirect is made from: a digest where it is the digest's path, otherwise the path itself behind a slash.
   * The C tool takes any path; composefs-rs takes the digest, and without one reads it out of the path.
   */
  #redirectKey(content: ExternalContent): string | undefined {
    const { objectId, backingPath } = content;
    if (backingPath === undefined || (this.#rules.dialect === "rs" && objectId !== undefined)) return objectId;
    const named = objectIdOfPath(backingPath);
    if (this.#rules.dialect === "c") {
      return named === undefined || backingPath.startsWith("/") ? `/${backingPath}` : named;
    }
    if (named === undefined) throw corrupt(`Cannot write EROFS image: backing path ${backingPath} is not xx/REST`);
    return named;
  }
}

function redirectValue(key: string): ByteString {
  return (key.startsWith("/") ? key : `/${objectPath(key)}`) as ByteString;
}

function escapeName(name: ByteString): ByteString {
  if (!name.startsWith(OVERLAY_PREFIX)) return name;
  return (ESCAPED_OVERLAY_PREFIX + name.slice(OVERLAY_PREFIX.length)) as ByteString;
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
