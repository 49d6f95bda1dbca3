/** Whether files of the root file system are whole: fs-verity files by their digest, each checked again only when it changed. */
import { BLOCK_BYTES } from "../../../src/ext4/index.ts";
import { ext4VerityTail, readExt4VerityDescriptor, VerityHasher } from "../../../src/verity/index.ts";
import type { Ext4File, Ext4Reader } from "./ext4-reader.ts";

/** How often each block of the root file system was written so far. */
export type BlockVersions = Uint32Array;

interface Checked {
  /** Of the inode, and all blocks' numbers and versions. */
  readonly state: string;
  readonly fault: string | undefined;
}

/** Keeps what it found: of hundreds of states of one disk, most files are equal in all. */
export class VerifiedFiles {
  readonly #checked = new Map<string, Checked>();
  readonly #versions: BlockVersions;
  /** For the table at the end. */
  verifiedCount = 0;

  constructor(versions: BlockVersions) {
    this.#versions = versions;
  }

  /** @returns what is wrong with the fs-verity file of this digest, or undefined */
  faultOf(reader: Ext4Reader, path: string, digest: string): string | undefined {
    const file = reader.find(path);
    if (file === undefined) return `${path} does not exist`;
    const state = this.#stateOf(reader, file);
    const known = this.#checked.get(digest);
    if (known?.state === state) return known.fault;
    const fault = verify(reader, file, digest);
    this.verifiedCount++;
    const result = { state, fault: fault === undefined ? undefined : `${path}: ${fault}` };
    this.#checked.set(digest, result);
    return result.fault;
  }

  #stateOf(reader: Ext4Reader, file: Ext4File): string {
    // Size, flags and the map of blocks; times and checksum may change with whoever looks at it.
    const inode = [file.sizeBytes, file.kind, file.isVerity];
    const blocks = reader.extents(file).map(({ fileBlock, block, blockCount, isUnwritten }) => {
      let sum = 0;
      for (let at = block; at < block + blockCount; at++) sum += this.#versions[at] ?? 0;
      return [fileBlock, block, blockCount, isUnwritten, sum];
    });
    return JSON.stringify([file.inode, inode, blocks]);
  }
}

function verify(reader: Ext4Reader, file: Ext4File, digest: string): string | undefined {
  if (file.kind !== "file" || !file.isVerity) return "it is no fs-verity file";
  const stored = reader.blocksOf(file);
  if (stored.length < BLOCK_BYTES) return "it has no blocks";
  const descriptor = readExt4VerityDescriptor(stored.subarray(stored.length - BLOCK_BYTES));
  if (descriptor.digest !== digest || descriptor.sizeBytes !== file.sizeBytes)
    return `its digest is ${descriptor.digest}`;
  const hasher = new VerityHasher("sha512", { keepTree: true });
  hasher.update(stored.subarray(0, file.sizeBytes));
  const tail = ext4VerityTail(hasher);
  const isWhole = Buffer.compare(stored.subarray(tail.offset), tail.bytes) === 0;
  return isWhole ? undefined : "its content or its tree is not that of its digest";
}
