/**
 * verity: fs-verity digests, Merkle trees and descriptors, and ext4's way of storing them.
 *
 * Pure: bytes in, bytes out (the hash function is that of `primitives/`, or node:crypto). May import `bytes/`, `errors/` and
 * `primitives/`; knows nothing of files. The ioctls are in `platform/`, the offline file system in `disk/`.
 * @module
 */
export * from "./algorithm.ts";
export { readVerityDescriptor, type VerityDescriptor, verityDescriptor } from "./descriptor.ts";
export { type Ext4VerityTail, ext4VerityOffset, ext4VerityTail, readExt4VerityDescriptor } from "./ext4.ts";
export { VerityHasher, verityDigest, verityDigestOfPieces } from "./hasher.ts";
export { verityDigests } from "./many-files.ts";
