/** A tree written as a composefs EROFS image (spec/erofs.md 0 to 3). */
import { SealrootError } from "../errors/index.ts";
import type { DirectoryNode, DumpDialect } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { buildTimeOf } from "./build-time.ts";
import { type ImageFacts, writeDataBlock, writeInode, writeSuperblock } from "./emit.ts";
import { BLOCK_BYTES, type Epoch } from "./format.ts";
import { ImageWindow } from "./image-window.ts";
import type { Inode } from "./inode.ts";
import { collectInodes, type InodeCollection } from "./inode-order.ts";
import { InodeXattrs } from "./inode-xattrs.ts";
import { LayoutPass } from "./layout.ts";
import type { PlacedInode } from "./placed-inode.ts";
import { entryLength, writeXattrEntry } from "./xattr-entry.ts";
import { ACL_ACCESS_INDEX, ACL_DEFAULT_INDEX } from "./xattr-name.ts";
import { XattrTable } from "./xattr-table.ts";

/**
 * The forms of an image (spec/erofs.md 0): `v0` and `v1` have layout epoch 1, `v2` has epoch 2. `c-default` is
 * mkcomposefs without options: version 0, raised to 1 by a whiteout in the tree.
 */
export type ErofsForm = "v0" | "v1" | "v2" | "c-default";

export interface ErofsOptions {
  readonly form: ErofsForm;
  /** The digests that name objects. */
  readonly algorithm: VerityAlgorithm;
  /**
   * Which tool's bytes to produce where the two differ (spec/erofs.md 11): `rs` for repositories, the default; `c` for
   * mkcomposefs and always for `c-default`.
   */
  readonly dialect?: DumpDialect;
}

const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffffffff;

/**
 * Writes the image of a tree; the same tree always gives the same bytes, those of the reference tools.
 *
 * @throws SealrootError `unsupported` for a tree that the form cannot hold, `corrupt` for an invalid tree
 */
export function writeErofs(root: DirectoryNode, options: ErofsOptions): Uint8Array {
  const layout = layOutErofs(root, options);
  const image = Buffer.allocUnsafeSlow(layout.sizeBytes);
  let at = 0;
  for (const piece of layout.pieces()) {
    image.set(piece, at);
    at += piece.length;
  }
  return image;
}

/** An image of which it is known where everything goes. */
export interface ErofsLayout {
  readonly sizeBytes: number;
  /**
   * The image's bytes in order, each piece valid until the next is asked for: of a million files they are 300 MB. The
   * tree must be as it was.
   */
  readonly pieces: () => Generator<Uint8Array, void>;
}

/**
 * The image that {@link writeErofs} writes, in pieces.
 *
 * @throws SealrootError as {@link writeErofs}
 */
export function layOutErofs(root: DirectoryNode, options: ErofsOptions): ErofsLayout {
  const epoch: Epoch = options.form === "v2" ? 2 : 1;
  const dialect = options.form === "c-default" ? "c" : (options.dialect ?? "rs");
  const collection = collectInodes(root, epoch, dialect);
  const { inodes } = collection;
  const version = headerVersion(options.form, collection);

  const table = new XattrTable(epoch);
  const xattrs = new InodeXattrs({ epoch, dialect, algorithm: options.algorithm, version }, table);
  xattrs.addAll(inodes);

  const buildTime = buildTimeOf(inodes, dialect);
  const rules = { epoch, dialect, buildTime };
  const layout = new LayoutPass(rules);
  for (const inode of inodes) inode.position = layout.place(inode, xattrs.listOf(inode)).position;
  const inodesEnd = layout.end;
  const firstBlock = Math.ceil((inodesEnd + table.sizeBytes) / BLOCK_BYTES);
  const blockCount = firstBlock + layout.nextBlock;
  if (blockCount > UINT32_MAX) throw new SealrootError("unsupported", "Cannot write EROFS image: over 2^32 blocks");

  const facts: ImageFacts = {
    epoch,
    version,
    hasAcl: hasAcl(inodes, dialect),
    buildTime,
    inodesEnd,
    rootNid: rootNidOf(inodes),
    inodeCount: inodes.length,
    blockCount,
  };
  return {
    sizeBytes: blockCount * BLOCK_BYTES,
    pieces: () => imagePieces(inodes, xattrs, table, new LayoutPass(rules, firstBlock), facts),
  };
}

/** Superblock, inodes, shared attributes, data blocks: all in the order of their positions. */
function* imagePieces(
  inodes: readonly Inode[],
  xattrs: InodeXattrs,
  table: XattrTable,
  layout: LayoutPass,
  facts: ImageFacts,
): Generator<Uint8Array, void> {
  const out = new ImageWindow();
  const withBlocks: PlacedInode[] = [];
  writeSuperblock(out, facts);
  for (const inode of inodes) {
    const list = xattrs.listOf(inode);
    const placed = layout.place(inode, list);
    if (placed.position !== inode.position) throw new Error("a tree was changed between layout and writing");
    if (placed.blockCount > 0) withBlocks.push(placed);
    if (!out.holds(placed.end)) yield* out.moveTo(placed.position);
    writeInode(out, out.offsetOf(placed.position), placed, list, facts);
  }
  for (const pair of table.shared) {
    const position = facts.inodesEnd + pair.tableOffset;
    if (!out.holds(position + entryLength(pair))) yield* out.moveTo(position);
    writeXattrEntry(out, out.offsetOf(position), pair);
  }
  for (const placed of withBlocks) {
    for (let block = 0; block < placed.blockCount; block++) {
      const position = (placed.firstBlock + block) * BLOCK_BYTES;
      if (!out.holds(position + BLOCK_BYTES)) yield* out.moveTo(position);
      writeDataBlock(out, out.offsetOf(position), placed, block);
    }
  }
  yield* out.moveTo(facts.blockCount * BLOCK_BYTES);
}

function headerVersion(form: ErofsForm, collection: InodeCollection): number {
  if (form === "c-default") return collection.hasWhiteout ? 1 : 0;
  return { v0: 0, v1: 1, v2: 2 }[form];
}

function rootNidOf(inodes: readonly Inode[]): number {
  const nid = inodes[0]?.nid ?? 0;
  if (nid > UINT16_MAX) throw new SealrootError("unsupported", `Cannot write EROFS image: root inode number ${nid}`);
  return nid;
}

/** The C tool looks for the two exact names, composefs-rs for their prefixes (spec 1.1). */
function hasAcl(inodes: readonly Inode[], dialect: DumpDialect): boolean {
  return inodes.some((inode) =>
    inode.xattrs.some(
      ({ name }) =>
        (name.index === ACL_ACCESS_INDEX || name.index === ACL_DEFAULT_INDEX) &&
        (dialect === "rs" || name.suffix === ""),
    ),
  );
}
