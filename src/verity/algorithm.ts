/** The two hash algorithms of fs-verity and their constants (spec/erofs.md 5.1; Linux Documentation/filesystems/fsverity.rst). */

export type VerityAlgorithm = "sha256" | "sha512";

/** Digest length in bytes. */
export const DIGEST_BYTES: Readonly<Record<VerityAlgorithm, 32 | 64>> = { sha256: 32, sha512: 64 };

/** FS_VERITY_HASH_ALG_SHA256 and FS_VERITY_HASH_ALG_SHA512 of linux/fsverity.h. */
export const ALGORITHM_NUMBER: Readonly<Record<VerityAlgorithm, 1 | 2>> = { sha256: 1, sha512: 2 };

/** The only block size sealroot and composefs use. */
export const BLOCK_SIZE_BYTES = 4096;
