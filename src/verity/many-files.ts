/** The fs-verity digests of many files at once: their blocks share the lanes in which messages are hashed. */
import { hashMessages, type MessageQueue } from "../primitives/index.ts";
import { BLOCK_SIZE_BYTES, DIGEST_BYTES, type VerityAlgorithm } from "./algorithm.ts";
import { DESCRIPTOR_BYTES, writeDescriptor } from "./descriptor.ts";

/** So many messages are assembled together. */
const ASSEMBLED_MAX = 64;
const assembled = Buffer.alloc(ASSEMBLED_MAX * BLOCK_SIZE_BYTES);

/** Where a file's digests of the level that was hashed last are, and how many. In digests. */
interface OpenFile {
  readonly start: number;
  count: number;
}

/**
 * The digests of files that are in memory, as lower-case hex.
 *
 * @param bytes the files' contents, one after the other
 * @param sizesBytes their lengths
 */
export function verityDigests(bytes: Uint8Array, sizesBytes: readonly number[], algorithm: VerityAlgorithm): string[] {
  const { digests, files } = hashLeaves(bytes, sizesBytes, algorithm);
  const hasLevels = ({ count }: OpenFile) => count > 1;
  for (let open = files.filter(hasLevels); open.length > 0; open = open.filter(hasLevels)) {
    hashLevel(digests, open, algorithm);
  }
  return descriptorDigests(digests, files, sizesBytes, algorithm);
}

function hashLeaves(
  bytes: Uint8Array,
  sizesBytes: readonly number[],
  algorithm: VerityAlgorithm,
): { readonly digests: Buffer; readonly files: OpenFile[] } {
  const digestBytes = DIGEST_BYTES[algorithm];
  const blocksOf = (sizeBytes: number) => Math.ceil(sizeBytes / BLOCK_SIZE_BYTES);
  const blocks = sizesBytes.reduce((sum, sizeBytes) => sum + blocksOf(sizeBytes), 0);
  const digests = Buffer.alloc(blocks * digestBytes);
  const files: OpenFile[] = [];
  const partial = new AssembledMessages(algorithm, BLOCK_SIZE_BYTES, digests);
  hashMessages(algorithm, BLOCK_SIZE_BYTES, blocks, (queue) => {
    let offset = 0;
    let start = 0;
    for (const sizeBytes of sizesBytes) {
      const whole = Math.floor(sizeBytes / BLOCK_SIZE_BYTES);
      if (whole > 0) queue.add(bytes, offset, whole, digests, start * digestBytes);
      files.push({ start, count: blocksOf(sizeBytes) });
      offset += sizeBytes;
      start += blocksOf(sizeBytes);
    }
  });
  let offset = 0;
  for (const [index, sizeBytes] of sizesBytes.entries()) {
    const tail = sizeBytes % BLOCK_SIZE_BYTES;
    const { start, count } = files[index] ?? { start: 0, count: 0 };
    offset += sizeBytes;
    if (tail > 0) partial.add(bytes.subarray(offset - tail, offset), start + count - 1);
  }
  partial.finish();
  return { digests, files };
}

/**
 * Hashes one level of files that have more than one digest. The new ones go where the file's old ones began: a digest is
 * overwritten only after its block was assembled, as there are at least 64 times fewer new ones.
 */
function hashLevel(digests: Buffer, files: readonly OpenFile[], algorithm: VerityAlgorithm): void {
  const digestBytes = DIGEST_BYTES[algorithm];
  const perBlock = BLOCK_SIZE_BYTES / digestBytes;
  const blocks = new AssembledMessages(algorithm, BLOCK_SIZE_BYTES, digests);
  for (const file of files) {
    const { start, count } = file;
    file.count = Math.ceil(count / perBlock);
    for (let block = 0; block < file.count; block++) {
      const first = start + block * perBlock;
      const end = Math.min(first + perBlock, start + count);
      blocks.add(digests.subarray(first * digestBytes, end * digestBytes), start + block);
    }
  }
  blocks.finish();
}

function descriptorDigests(
  roots: Buffer,
  files: readonly OpenFile[],
  sizesBytes: readonly number[],
  algorithm: VerityAlgorithm,
): string[] {
  const digestBytes = DIGEST_BYTES[algorithm];
  const digests = Buffer.alloc(files.length * digestBytes);
  const none = Buffer.alloc(digestBytes);
  const scratch = Buffer.alloc(DESCRIPTOR_BYTES);
  const descriptors = new AssembledMessages(algorithm, DESCRIPTOR_BYTES, digests);
  for (const [index, { start, count }] of files.entries()) {
    const root = count === 0 ? none : roots.subarray(start * digestBytes, (start + 1) * digestBytes);
    descriptors.add(writeDescriptor(scratch, algorithm, sizesBytes[index] ?? 0, root), index);
  }
  descriptors.finish();
  return files.map((_, index) => digests.toString("hex", index * digestBytes, (index + 1) * digestBytes));
}

/** Messages that must be put together first: copied, padded with zeros, and hashed a few dozen at a time. */
class AssembledMessages {
  readonly #algorithm: VerityAlgorithm;
  readonly #messageBytes: number;
  readonly #target: Buffer;
  /** Where each digest goes, in digests. */
  #places: number[] = [];

  constructor(algorithm: VerityAlgorithm, messageBytes: number, target: Buffer) {
    this.#algorithm = algorithm;
    this.#messageBytes = messageBytes;
    this.#target = target;
  }

  /** @param place of the digest in the target, in digests */
  add(content: Uint8Array, place: number): void {
    if (this.#places.length === ASSEMBLED_MAX) this.finish();
    const start = this.#places.length * this.#messageBytes;
    assembled.set(content, start);
    assembled.fill(0, start + content.length, start + this.#messageBytes);
    this.#places.push(place);
  }

  finish(): void {
    const digestBytes = DIGEST_BYTES[this.#algorithm];
    const add = (queue: MessageQueue) => {
      for (const [index, place] of this.#places.entries()) {
        queue.add(assembled, index * this.#messageBytes, 1, this.#target, place * digestBytes);
      }
    };
    if (this.#places.length > 0) hashMessages(this.#algorithm, this.#messageBytes, this.#places.length, add);
    this.#places = [];
  }
}
