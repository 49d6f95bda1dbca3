/** What files take of a file system. */
import { alignUp } from "../../bytes/index.ts";
import { type DirectoryNode, type FileNode, walkTree } from "../../tree/index.ts";
import { BLOCK_SIZE_BYTES, DIGEST_BYTES, type VerityAlgorithm } from "../../verity/index.ts";
import type { Certainty, Room } from "./update-plan.ts";

/** @param sizes lengths of the files in bytes @param allotted what one of that length takes */
export function roomOf(
  sizes: Iterable<number>,
  allotted: (sizeBytes: number) => number,
  certainty: Certainty = "exact",
): Room {
  let [files, bytes, allottedBytes] = [0, 0, 0];
  for (const sizeBytes of sizes) {
    files += 1;
    bytes += sizeBytes;
    allottedBytes += allotted(sizeBytes);
  }
  return { files, bytes, allottedBytes, certainty };
}

/** A file's data in whole blocks. */
export function dataBytes(sizeBytes: number, blockBytes: number): number {
  return alignUp(sizeBytes, blockBytes);
}

/**
 * A verity file of ext4: its data, the Merkle tree, and one block with the descriptor (Linux
 * Documentation/filesystems/fsverity.rst, "Merkle tree"; ext4/verity.rst).
 */
export function verityFileBytes(sizeBytes: number, algorithm: VerityAlgorithm, blockBytes: number): number {
  const digestsPerBlock = BLOCK_SIZE_BYTES / DIGEST_BYTES[algorithm];
  let treeBlocks = 0;
  for (let blocks = Math.ceil(sizeBytes / BLOCK_SIZE_BYTES); blocks > 1; ) {
    blocks = Math.ceil(blocks / digestsPerBlock);
    treeBlocks += blocks;
  }
  return dataBytes(sizeBytes, blockBytes) + dataBytes((treeBlocks + 1) * BLOCK_SIZE_BYTES, blockBytes);
}

/** Lengths of the regular files of a tree, each once however many names it has. */
export function fileSizes(root: DirectoryNode): number[] {
  const files = new Set<FileNode>();
  for (const { node } of walkTree(root)) if (node.kind === "file") files.add(node);
  return [...files].map(({ content }) => (content.type === "inline" ? content.bytes.length : content.sizeBytes));
}
