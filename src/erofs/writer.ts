/** A tree written as a composefs EROFS image (spec/erofs.md 0 to 3). */
import { SealrootError } from "../errors/index.ts";
import type { DirectoryNode, DumpDialect } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { buildTimeOf } from "./build-time.ts";
import { type ImageFacts, writeInode, writeSuperblock } from "./emit.ts";
import { BLOCK_BYTES, type Epoch } from "./format.ts";
import { newImageBuffer } from "./image-buffer.ts";
import type { Inode } from "./inode.ts";
import { collectInodes, type InodeCollection } from "./inode-order.ts";
import { InodeXattrs } from "./inode-xattrs.ts";
import { LayoutPass } from "./layout.ts";
import { writeXattrEntry } from "./xattr-entry.ts";
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
   * Which tool's bytes to give where the two differ (spec/erofs.md 11): `rs` for repositories, the default; `c` for
   * mkcomposefs and always for `c-default`.
   */
  readonly dialect?: DumpDialect;
}

const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffffffff;

/**
 * Writes the image of a tree; the same tree always gives the same bytes, those of the reference tools.
 *
 * @throws SealrootError `unsupported` for a tree that the form cannot hold, `corrupt` for a tree that is none
 */
export function writeErofs(root: DirectoryNode, options: ErofsOptions): Uint8Array {
  const epoch: Epoch = options.form === "v2" ? 2 : 1;
  const dialect = options.form === "c-default" ? "c" : (options.dialect ?? "rs");
  const collection = collectInodes(root, epoch, dialect);
  const { inodes } = collection;
  const version = headerVersion(options.form, collection);

  const table = new XattrTable(epoch);
  const xattrs = new InodeXattrs({ epoch, dialect, algorithm: options.algorithm, version }, table);
  xattrs.addAll(inodes);

  const buildTime = buildTimeOf(inodes, dialect);
  const layout = new LayoutPass(epoch, dialect, buildTime);
  for (const inode of inodes) layout.place(inode, xattrs.listOf(inode));
  const inodesEnd = layout.end;
  const endBlock = placeDataBlocks(inodes, Math.ceil((inodesEnd + table.sizeBytes) / BLOCK_BYTES));

  const facts: ImageFacts = {
    epoch,
    version,
    hasAcl: hasAcl(inodes, dialect),
    buildTime,
    inodesEnd,
    rootNid: rootNidOf(inodes),
    inodeCount: inodes.length,
  };
  const out = newImageBuffer(endBlock * BLOCK_BYTES);
  writeSuperblock(out, facts);
  for (const inode of inodes) writeInode(out, inode, xattrs.listOf(inode), facts);
  for (const pair of table.shared) writeXattrEntry(out, inodesEnd + pair.tableOffset, pair);
  return out.bytes;
}

function headerVersion(form: ErofsForm, collection: InodeCollection): number {
  if (form === "c-default") return collection.hasWhiteout ? 1 : 0;
  return { v0: 0, v1: 1, v2: 2 }[form];
}

/** Hands out the data blocks in inode order and returns the number behind the last one. */
function placeDataBlocks(inodes: readonly Inode[], firstBlock: number): number {
  let block = firstBlock;
  for (const inode of inodes) {
    inode.firstBlock = block;
    block += inode.blockCount;
  }
  if (block > UINT32_MAX) throw new SealrootError("unsupported", "Cannot write EROFS image: over 2^32 blocks");
  return block;
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
