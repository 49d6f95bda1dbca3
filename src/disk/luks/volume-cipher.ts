/** The encryption of a volume's sectors as dm-crypt does it (Linux Documentation/admin-guide/device-mapper/dm-crypt.rst). */
import { createCipheriv, createDecipheriv } from "node:crypto";

/** AES-256 in XTS mode has two keys of 32 bytes. */
export const VOLUME_KEY_BYTES = 64;
/** Encrypted as one unit: as large as ext4's blocks, and as what most disks write at once. */
export const VOLUME_SECTOR_BYTES = 4096;
const ALGORITHM = "aes-256-xts";
const IV_BYTES = 16;
/** `plain64` counts in these units whatever the size of a sector, unless iv_large_sectors is set, which LUKS2 never does. */
const IV_UNIT_BYTES = 512;

/** `aes-xts-plain64` with a key of 512 bits. */
export class VolumeCipher {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    if (key.length !== VOLUME_KEY_BYTES) throw new RangeError(`a volume key has ${VOLUME_KEY_BYTES} bytes`);
    this.#key = key;
  }

  /**
   * @param bytes whole sectors
   * @param offsetBytes where they are in the volume's data
   */
  encrypt(bytes: Uint8Array, offsetBytes: number): Buffer {
    return this.#convert(bytes, offsetBytes, createCipheriv);
  }

  /** As {@link encrypt}, the other way. */
  decrypt(bytes: Uint8Array, offsetBytes: number): Buffer {
    return this.#convert(bytes, offsetBytes, createDecipheriv);
  }

  #convert(bytes: Uint8Array, offsetBytes: number, create: typeof createCipheriv | typeof createDecipheriv): Buffer {
    if (bytes.length % VOLUME_SECTOR_BYTES !== 0 || offsetBytes % VOLUME_SECTOR_BYTES !== 0) {
      throw new RangeError("only whole sectors can be encrypted");
    }
    const converted = Buffer.allocUnsafe(bytes.length);
    const iv = Buffer.alloc(IV_BYTES);
    for (let done = 0; done < bytes.length; done += VOLUME_SECTOR_BYTES) {
      iv.writeBigUInt64LE(BigInt((offsetBytes + done) / IV_UNIT_BYTES));
      // XTS has no padding and keeps nothing for the end: update() gives all.
      create(ALGORITHM, this.#key, iv)
        .update(bytes.subarray(done, done + VOLUME_SECTOR_BYTES))
        .copy(converted, done);
    }
    return converted;
  }
}
