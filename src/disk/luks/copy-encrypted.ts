/** Writes the used blocks of a file system, encrypted, into the volume's place on a disk. */
import { setImmediate } from "node:timers/promises";
import { asSealrootError, corrupt } from "../../errors/index.ts";
import {
  BLOCK_BYTES,
  type BlockRun,
  Groups,
  readSuperblock,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
} from "../../ext4/index.ts";
import { readUpTo, writeWhole } from "../../platform/index.ts";
import type { VolumeCipher } from "./volume-cipher.ts";

/** Read, encrypted and written at once. */
const PIECE_BYTES = 1 << 20;

export interface EncryptedCopy {
  /** A file with a plain ext4 file system from its beginning on. */
  readonly source: number;
  /** Open for writing. */
  readonly target: number;
  /** Where the volume's data begin. */
  readonly targetStartBytes: number;
  readonly cipher: VolumeCipher;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Copies. What is not in use stays as it was in the target; in the opened volume it reads as noise, of which a file system expects
 * nothing.
 *
 * @throws SealrootError `corrupt` when the file system ends early; `no-space` when the target's own file system is full
 */
export async function copyEncrypted(copy: EncryptedCopy): Promise<void> {
  const runs = usedRuns(copy.source);
  const totalBytes = runs.reduce((sum, { count }) => sum + count * BLOCK_BYTES, 0);
  let doneBytes = 0;
  for (const { start, count } of runs) {
    const endBytes = (start + count) * BLOCK_BYTES;
    for (let offset = start * BLOCK_BYTES; offset < endBytes; offset += PIECE_BYTES) {
      const plain = readExactly(copy.source, offset, Math.min(PIECE_BYTES, endBytes - offset));
      writeEncrypted(copy.target, copy.cipher.encrypt(plain, offset), copy.targetStartBytes + offset);
      doneBytes += plain.length;
      copy.onProgress?.(doneBytes, totalBytes);
      // Signals and other work get a turn.
      await setImmediate();
    }
  }
}

function usedRuns(source: number): BlockRun[] {
  const superblock = readSuperblock(readExactly(source, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES));
  const table = readExactly(source, BLOCK_BYTES, superblock.groupCount * superblock.descriptorBytes);
  const groups = new Groups(superblock, table, (block) => readExactly(source, block * BLOCK_BYTES, BLOCK_BYTES));
  return [...groups.usedRuns()];
}

function readExactly(file: number, offset: number, lengthBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  if (readUpTo(file, bytes, offset) === lengthBytes) return bytes;
  throw corrupt("Cannot encrypt the root file system: it ends early", { offset });
}

function writeEncrypted(file: number, bytes: Uint8Array, position: number): void {
  try {
    writeWhole(file, bytes, position);
  } catch (error) {
    throw asSealrootError(error, "Cannot write the encrypted root file system");
  }
}
