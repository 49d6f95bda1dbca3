/** Which bytes of an image belong to which inode: none to two (spec/erofs.md 1, 2.7). */
import { INODES_OFFSET, SLOT_BYTES } from "./format.ts";
import { imageError } from "./read-error.ts";

/**
 * Records the slots that inodes and their data occupy. Writers give every inode its own; if a hostile image let many
 * inodes share a long attribute area or a data block, memory and time would be a multiple of its size.
 */
export class ClaimMap {
  /** One bit per slot. */
  readonly #claimed: Uint8Array;

  constructor(imageBytes: number) {
    this.#claimed = new Uint8Array(Math.ceil(imageBytes / SLOT_BYTES / 8) + 1);
    this.claim(0, INODES_OFFSET);
  }

  /** @throws SealrootError `corrupt` when a slot of `start..end` (half-open) is already claimed */
  claim(start: number, end: number): void {
    for (let slot = Math.floor(start / SLOT_BYTES); slot * SLOT_BYTES < end; slot++) {
      const byte = slot >> 3;
      const bit = 1 << (slot & 7);
      const value = this.#claimed[byte] ?? 0;
      if ((value & bit) !== 0) throw imageError(slot * SLOT_BYTES, "bytes that belong to two inodes");
      this.#claimed[byte] = value | bit;
    }
  }
}
