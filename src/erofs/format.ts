/** Numbers of the composefs EROFS format (spec/erofs.md 1 to 3; linux fs/erofs/erofs_fs.h). */

export const BLOCK_BYTES = 4096;
/** An inode's number (nid) is its offset divided by this, since meta_blkaddr is 0. */
export const SLOT_BYTES = 32;

/** struct lcfs_erofs_header_s, at offset 0 (spec 1.1). */
export const HEADER_MAGIC = 0xd078629a;
export const HEADER_VERSION = 1;
export const HEADER_FLAG_HAS_ACL = 1;

/** struct erofs_super_block (spec 1.2). */
export const SUPERBLOCK_OFFSET = 1024;
const SUPERBLOCK_BYTES = 128;
export const SUPERBLOCK_MAGIC = 0xe0f5e1e2;
export const FEATURE_COMPAT_SB_CHECKSUM = 1;
export const FEATURE_COMPAT_MTIME = 2;
export const FEATURE_COMPAT_XATTR_FILTER = 4;
export const FEATURE_INCOMPAT_CHUNKED_FILE = 4;
export const BLOCK_SIZE_BITS = 12;

/** Where the root inode begins unless its own tail padding moves it. */
export const INODES_OFFSET = SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES;

/** Inode headers (spec 2.1). */
export const COMPACT_INODE_BYTES = 32;
export const EXTENDED_INODE_BYTES = 64;

/** i_format's bits 1..3: where the data are. */
export const LAYOUT_PLAIN = 0;
export const LAYOUT_INLINE = 2;
export const LAYOUT_CHUNKED = 4;

/** A chunk index of a file whose bytes are elsewhere. */
export const NO_BLOCK = 0xffffffff;
export const CHUNK_INDEX_BYTES = 4;
/** Chunks are 2^(12 + format) bytes; the format has five bits. */
export const CHUNK_BITS_MAX = 43;

/** Directory records (spec 2.6). */
export const DIRENT_BYTES = 12;
/** A directory's last part is stored beside the inode up to this many bytes. */
export const DIRECTORY_TAIL_MAX_BYTES = 2048;

/** Xattr area (spec 3.2). */
export const XATTR_AREA_HEADER_BYTES = 12;
export const XATTR_ENTRY_HEADER_BYTES = 4;
export const SHARED_XATTR_REFERENCE_BYTES = 4;

/** Limits for in-image content and symbolic links, by epoch (spec 8). */
export const INLINE_CONTENT_MAX_BYTES = { 1: 5000, 2: 512 } as const;
export const SYMLINK_MAX_BYTES = { 1: 4095, 2: 1024 } as const;
/** Largest file as composefs uses the format: 1024 chunks of 2^43 bytes. */
export const FILE_SIZE_MAX_BYTES = 2 ** 53;

/** The two layouts (spec 0): epoch 1 for header versions 0 and 1, epoch 2 for version 2. */
export type Epoch = 1 | 2;

/** The xattrs by which overlayfs finds an object, and the marks of the epoch 1 form (spec 3.4). */
export const OVERLAY_PREFIX = "trusted.overlay.";
export const ESCAPED_OVERLAY_PREFIX = "trusted.overlay.overlay.";
export const METACOPY_XATTR = "trusted.overlay.metacopy";
export const REDIRECT_XATTR = "trusted.overlay.redirect";
export const OPAQUE_XATTR = "trusted.overlay.opaque";
export const WHITEOUT_MARKS = ["trusted.overlay.overlay.whiteout", "user.overlay.whiteout"] as const;
export const WHITEOUTS_MARKS = ["trusted.overlay.overlay.whiteouts", "user.overlay.whiteouts"] as const;
export const OPAQUE_MARKS = ["trusted.overlay.overlay.opaque", "user.overlay.opaque"] as const;

/** The additional names in an epoch 1 root: they hide the object store of old mounts (spec 3.4 step 5, 7). */
export const STUB_NAMES: readonly string[] = Array.from({ length: 256 }, (_, value) =>
  value.toString(16).padStart(2, "0"),
);
