/** The size of a block of every file system made here: a page of x86-64, and what fs-verity takes for its tree. */
export const BLOCK_BYTES = 4096;
