/** One object of a disk, checked as the kernel will read it (spec/boot-chain.md A; Linux fs/ext4/verity.c, fs/verity/). */
import type { Ext4File, Ext4Reader } from "../../disk/index.ts";
import { reasonOf, SealrootError } from "../../errors/index.ts";
import { INODE_FLAGS } from "../../ext4/index.ts";
import {
  BLOCK_SIZE_BYTES,
  DIGEST_BYTES,
  ext4VerityOffset,
  readVerityDescriptor,
  type VerityAlgorithm,
  VerityHasher,
} from "../../verity/index.ts";

/** What is wrong with an object. `no-verity`: its content is right, but nothing makes the kernel check it. */
export interface ObjectFault {
  readonly kind: "missing" | "not-a-file" | "content" | "no-verity" | "descriptor" | "tree" | "unreadable";
  readonly message: string;
  readonly expected?: string;
  readonly found?: string;
}

export interface ObjectVerdict {
  readonly sizeBytes: number;
  /** Undefined for an object that is all right. */
  readonly fault: ObjectFault | undefined;
}

const TRAILER_BYTES = 4;

/**
 * Checks content, verity flag, descriptor and Merkle tree of a file that must have the digest `id`.
 *
 * The content is hashed and compared, not only the descriptor: the kernel trusts the descriptor until a block is read.
 */
export function checkVerityFile(reader: Ext4Reader, inode: number, id: string): ObjectVerdict {
  let sizeBytes = 0;
  try {
    const file = reader.file(inode);
    if (file.kind !== "file") return { sizeBytes, fault: notAFile(file.kind) };
    sizeBytes = file.sizeBytes;
    return { sizeBytes, fault: faultOf(reader, file, id) };
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    return { sizeBytes, fault: { kind: "unreadable", message: error.message } };
  }
}

export function notAFile(kind: string): ObjectFault {
  return { kind: "not-a-file", message: `it is a ${kind}`, expected: "a regular file", found: `a ${kind}` };
}

function faultOf(reader: Ext4Reader, file: Ext4File, id: string): ObjectFault | undefined {
  const algorithm: VerityAlgorithm = id.length === 2 * DIGEST_BYTES.sha256 ? "sha256" : "sha512";
  const hasher = new VerityHasher(algorithm, { keepTree: true });
  for (const piece of reader.pieces(file)) hasher.update(piece);
  const tree = hasher.merkleTree();
  const found = hasher.hexDigest();
  const onDisk = () => reader.bytesAt(file, ext4VerityOffset(file.sizeBytes), tree.length);
  const hasVerity = (file.flags & INODE_FLAGS.verity) !== 0;
  if (found !== id) {
    const place = hasVerity ? firstBadBlock(tree, onDisk(), file.sizeBytes, DIGEST_BYTES[algorithm]) : undefined;
    const message = `its content has another digest${place === undefined ? "" : `: ${place}`}`;
    return { kind: "content", message, expected: id, found };
  }
  if (!hasVerity) {
    return { kind: "no-verity", message: "fs-verity is off", expected: "the verity flag of ext4", found: "none" };
  }
  const fault = descriptorFault(reader, file, id);
  if (fault !== undefined) return fault;
  const at = firstDifference(tree, onDisk());
  if (at === undefined) return undefined;
  const message = `its Merkle tree is damaged at byte ${at}: reading what is below it fails`;
  return { kind: "tree", message, expected: "the hashes of its content", found: "others" };
}

/** As ext4 finds it: by the length in the last four bytes of the last block (ext4_get_verity_descriptor_location). */
function descriptorFault(reader: Ext4Reader, file: Ext4File, id: string): ObjectFault | undefined {
  const wrong = (message: string, found?: string): ObjectFault => ({
    kind: "descriptor",
    message,
    ...(found === undefined ? {} : { expected: id, found }),
  });
  const end = reader.allocatedEnd(file);
  const metadataStart = ext4VerityOffset(file.sizeBytes);
  if (end < metadataStart + BLOCK_SIZE_BYTES) return wrong("it has no fs-verity descriptor");
  const trailer = reader.bytesAt(file, end - TRAILER_BYTES, TRAILER_BYTES);
  const lengthBytes = Buffer.from(trailer).readUInt32LE(0);
  const blockBytes = reader.superblock.blockBytes;
  const start = Math.floor((end - TRAILER_BYTES - lengthBytes) / blockBytes) * blockBytes;
  if (start < metadataStart) return wrong(`its fs-verity descriptor is said to have ${lengthBytes} bytes`);
  try {
    const descriptor = readVerityDescriptor(reader.bytesAt(file, start, Math.min(lengthBytes, BLOCK_SIZE_BYTES)));
    if (descriptor.digest !== id) return wrong("its fs-verity descriptor has another digest", descriptor.digest);
    // The kernel refuses to open such a file (fs/verity/open.c, fsverity_get_descriptor).
    if (lengthBytes !== 256) return wrong(`its fs-verity descriptor has ${lengthBytes} bytes, not 256`);
    return undefined;
  } catch (error) {
    return wrong(`its fs-verity descriptor cannot be read: ${reasonOf(error)}`);
  }
}

/** Where the content was changed, if its tree is still the old one: leaves are last, a digest for each block. */
function firstBadBlock(
  tree: Uint8Array,
  onDisk: Uint8Array,
  sizeBytes: number,
  digestBytes: number,
): string | undefined {
  const blocks = Math.ceil(sizeBytes / BLOCK_SIZE_BYTES);
  const leafBytes = Math.ceil((blocks * digestBytes) / BLOCK_SIZE_BYTES) * BLOCK_SIZE_BYTES;
  const start = tree.length - leafBytes;
  if (tree.length === 0) return undefined;
  const at = firstDifference(tree.subarray(start), onDisk.subarray(start));
  if (at === undefined) return undefined;
  const first = Math.floor(at / digestBytes) * BLOCK_SIZE_BYTES;
  return `bytes ${first} to ${Math.min(sizeBytes, first + BLOCK_SIZE_BYTES) - 1} are not those of its Merkle tree`;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  if (Buffer.compare(a, b) === 0) return undefined;
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? a.length : at;
}
