/** The fs-verity ioctls (spec/erofs.md 5.3; Linux Documentation/filesystems/fsverity.rst). */
import { constants } from "node:os";
import { hasErrno } from "../errors/index.ts";
import { addressOf, callLibc, systemError, tryLibc } from "./libc.ts";

// The numbers are the same on x86-64 and arm64: both use the generic ioctl encoding.
const FS_IOC_ENABLE_VERITY = 0x40806685;
const FS_IOC_MEASURE_VERITY = 0xc0046686;
const FS_IOC_READ_VERITY_METADATA = 0xc0286687;

const ENABLE_ARGUMENT_BYTES = 128;
const METADATA_ARGUMENT_BYTES = 40;
const DIGEST_HEADER_BYTES = 4;
const DIGEST_MAX_BYTES = 64;
const BLOCK_SIZE_BYTES = 4096;

/** FS_VERITY_HASH_ALG_SHA256 and FS_VERITY_HASH_ALG_SHA512 of linux/fsverity.h. */
export type VerityAlgorithmNumber = 1 | 2;

/** What the kernel says about a file. `unsupported`: its file system (or this kernel) has no fs-verity. */
export type VerityState =
  | { readonly state: "enabled"; readonly algorithmNumber: number; readonly digest: Uint8Array }
  | { readonly state: "disabled" }
  | { readonly state: "unsupported" };

/**
 * Turns fs-verity on: 4096-byte blocks, no salt, no signature. From then on the file cannot be written.
 *
 * @param fd open for reading only; nobody may have the file open for writing
 * @throws Error with code EEXIST (already on), ETXTBSY (a writer is left), EOPNOTSUPP or ENOTTY (no support), ENOSPC …
 */
export function enableVerity(fd: number, algorithmNumber: VerityAlgorithmNumber): void {
  const argument = Buffer.alloc(ENABLE_ARGUMENT_BYTES);
  argument.writeUInt32LE(1, 0); // struct version
  argument.writeUInt32LE(algorithmNumber, 4);
  argument.writeUInt32LE(BLOCK_SIZE_BYTES, 8);
  callLibc("ioctl", undefined, fd, FS_IOC_ENABLE_VERITY, argument);
}

/** Asks the kernel for a file's digest. It comes from the stored descriptor: no data are read. */
export function measureVerity(fd: number): VerityState {
  const argument = Buffer.alloc(DIGEST_HEADER_BYTES + DIGEST_MAX_BYTES);
  argument.writeUInt16LE(DIGEST_MAX_BYTES, 2);
  const { ENODATA, ENOTTY, EOPNOTSUPP } = constants.errno;
  const result = tryLibc("ioctl", fd, FS_IOC_MEASURE_VERITY, argument);
  if (result === -ENODATA) return { state: "disabled" };
  if (result === -ENOTTY || result === -EOPNOTSUPP) return { state: "unsupported" };
  if (result < 0) throw systemError("ioctl", -result, undefined);
  const digestBytes = argument.readUInt16LE(2);
  return {
    state: "enabled",
    algorithmNumber: argument.readUInt16LE(0),
    digest: argument.subarray(DIGEST_HEADER_BYTES, DIGEST_HEADER_BYTES + digestBytes),
  };
}

/** True for errors that mean a file system or kernel without fs-verity. */
export function isVerityUnsupported(error: unknown): boolean {
  return hasErrno(error, "ENOTTY", "EOPNOTSUPP") || hasErrno(error, "ENOTSUP");
}

/** FS_VERITY_METADATA_TYPE_* of linux/fsverity.h. */
const METADATA_TYPE = { "merkle-tree": 1, descriptor: 2, signature: 3 } as const;

/**
 * Reads part of a file's verity metadata.
 *
 * @param offset in the metadata of that type
 * @returns up to `lengthBytes` bytes, fewer at the end
 */
export function readVerityMetadata(
  fd: number,
  type: keyof typeof METADATA_TYPE,
  offset: number,
  lengthBytes: number,
): Uint8Array {
  const target = Buffer.alloc(lengthBytes);
  const argument = Buffer.alloc(METADATA_ARGUMENT_BYTES);
  argument.writeBigUInt64LE(BigInt(METADATA_TYPE[type]), 0);
  argument.writeBigUInt64LE(BigInt(offset), 8);
  argument.writeBigUInt64LE(BigInt(lengthBytes), 16);
  argument.writeBigUInt64LE(addressOf(target), 24);
  const length = callLibc("ioctl", undefined, fd, FS_IOC_READ_VERITY_METADATA, argument);
  return target.subarray(0, length);
}
