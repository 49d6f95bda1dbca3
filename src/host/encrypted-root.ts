/** Whether the host's root is in an encrypted volume, and what opens that. */
import { closeSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { LUKS_HEADER_BYTES, type LuksVolume, readLuksVolume } from "../bootplan/index.ts";
import { asSealrootError, hasErrno } from "../errors/index.ts";
import { readUpTo } from "../platform/index.ts";

/** The volume that holds the physical root. */
export interface EncryptedRoot {
  /** Such as `/dev/vda3`. */
  readonly device: string;
  readonly volume: LuksVolume;
}

const SYS_BLOCK = "/sys/dev/block";
/** As libcryptsetup names what it maps, with the volume's UUID and its name (cryptsetup, lib/libdevmapper.c). */
const MAPPING_UUID = /^CRYPT-LUKS2-/;

/**
 * The partition under the file system that a directory is in, when it is a volume of LUKS2 there.
 * @param folder where the kernel tells of devices; tests give their own
 */
export function encryptedPartition(directory: string, folder = SYS_BLOCK): string | undefined {
  const { dev } = statSync(directory);
  // new_decode_dev() of the kernel, as glibc's major() and minor() have it (sys/sysmacros.h).
  const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
  const device = join(folder, `${major}:${minor}`);
  try {
    if (!MAPPING_UUID.test(readFileSync(join(device, "dm/uuid"), "utf8"))) return undefined;
    const [name] = readdirSync(join(device, "slaves"));
    return name && `/dev/${name}`;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/**
 * @returns undefined for a root that is not encrypted
 * @throws SealrootError `no-access` without the right to read the device; as readLuksVolume
 */
export function readEncryptedRoot(physicalRoot: string): EncryptedRoot | undefined {
  const device = encryptedPartition(physicalRoot);
  return device === undefined ? undefined : { device, volume: readLuksVolume(headerOf(device)) };
}

function headerOf(device: string): Uint8Array {
  const bytes = Buffer.alloc(LUKS_HEADER_BYTES);
  try {
    const file = openSync(device, "r");
    try {
      return bytes.subarray(0, readUpTo(file, bytes, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw asSealrootError(error, "Cannot read the header of the encrypted root", { path: device });
  }
}
