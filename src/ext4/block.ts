/** The size of a block of every file system made here: a page of x86-64, and what fs-verity uses for its tree. */
export const BLOCK_BYTES = 4096;

/** A run of blocks of the file system. */
export interface BlockRun {
  readonly start: number;
  readonly count: number;
}

/** A block to be written. */
export interface ChangedBlock {
  readonly block: number;
  readonly bytes: Uint8Array;
}
