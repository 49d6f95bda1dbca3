/** A root file system inside a LUKS2 volume: planned as without, made beside the disk, and written into it encrypted. */
import { closeSync, openSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { LUKS_HEADER_BYTES, readLuksVolume } from "../../bootplan/index.ts";
import { BLOCK_BYTES } from "../../ext4/index.ts";
import { writeWhole } from "../../platform/index.ts";
import { expectPlanned } from "../expect-planned.ts";
import type { ReadAt } from "../gpt.ts";
import type { PlannedPartition } from "../partition-plan.ts";
import type { PlannedRoot, RootMakeOptions } from "../root-file-system.ts";
import type { WorkDisk } from "../work-disk.ts";
import { copyEncrypted } from "./copy-encrypted.ts";
import { type LuksSecrets, makeLuksHeader } from "./luks-header.ts";
import { VOLUME_SECTOR_BYTES, VolumeCipher } from "./volume-cipher.ts";

export interface Encryption extends LuksSecrets {
  /** Of the file system; the volume has the one that the command line may name. */
  readonly fileSystemUuid: string;
}

/** The plain file system, while it is made: a sparse file that nobody else can open, in the working directory. */
const PLAIN_NAME = "root.plain";

/** The same content in an encrypted volume. */
export function encryptRoot(content: PlannedRoot, encryption: Encryption): PlannedRoot {
  return new EncryptedRoot(content, encryption);
}

class EncryptedRoot implements PlannedRoot {
  readonly #content: PlannedRoot;
  readonly #encryption: Encryption;
  readonly #cipher: VolumeCipher;
  #header: Uint8Array | undefined;

  constructor(content: PlannedRoot, encryption: Encryption) {
    this.#content = content;
    this.#encryption = encryption;
    this.#cipher = new VolumeCipher(encryption.volumeKey);
  }

  get blocks(): number {
    return this.#content.blocks;
  }

  get inodes(): number {
    return this.#content.inodes;
  }

  get bytesNeeded(): number {
    return this.#content.bytesNeeded + LUKS_HEADER_BYTES;
  }

  get scratchBytes(): number {
    return this.#content.blocks * BLOCK_BYTES;
  }

  fits(partitionBytes: number): boolean {
    return partitionBytes > LUKS_HEADER_BYTES && this.#content.fits(partitionBytes - LUKS_HEADER_BYTES);
  }

  async make(disk: WorkDisk, options: RootMakeOptions): Promise<void> {
    this.#header = await makeLuksHeader(disk, options.uuid, this.#encryption);
    const sizeBytes = options.sizeBytes - LUKS_HEADER_BYTES;
    const plainPath = join(disk.directory, PLAIN_NAME);
    writeFileSync(plainPath, "", { mode: 0o600, flag: "wx" });
    truncateSync(plainPath, sizeBytes);
    await this.#content.make(
      { directory: disk.directory, path: PLAIN_NAME },
      {
        ...options,
        startBytes: 0,
        sizeBytes,
        uuid: this.#encryption.fileSystemUuid,
        // What is a hole there is noise in the volume: inode tables are left to the kernel, as on a device.
        contentIsUnknown: true,
      },
    );
    const source = openSync(plainPath, "r");
    unlinkSync(plainPath);
    const target = openSync(resolve(disk.directory, disk.path), "r+");
    try {
      writeWhole(target, this.#header, options.startBytes);
      const targetStartBytes = options.startBytes + LUKS_HEADER_BYTES;
      await copyEncrypted({ source, target, targetStartBytes, cipher: this.#cipher });
    } finally {
      closeSync(target);
      closeSync(source);
    }
  }

  async check(readAt: ReadAt, partition: PlannedPartition): Promise<void> {
    const name = "the encrypted volume";
    const header = await readAt(partition.startBytes, LUKS_HEADER_BYTES);
    const isSame = this.#header !== undefined && Buffer.compare(header, this.#header) === 0;
    expectPlanned(name, "header", "what was made", isSame ? "what was made" : "another one");
    expectPlanned(name, "offset", LUKS_HEADER_BYTES, readLuksVolume(header).dataOffsetBytes);
    const startBytes = partition.startBytes + LUKS_HEADER_BYTES;
    await this.#content.check((offset, length) => this.#readPlain(readAt, startBytes, offset - startBytes, length), {
      ...partition,
      startBytes,
      sizeBytes: partition.sizeBytes - LUKS_HEADER_BYTES,
    });
  }

  /** @param offset in the volume's data */
  async #readPlain(readAt: ReadAt, startBytes: number, offset: number, length: number): Promise<Uint8Array> {
    const first = Math.floor(offset / VOLUME_SECTOR_BYTES) * VOLUME_SECTOR_BYTES;
    const end = Math.ceil((offset + length) / VOLUME_SECTOR_BYTES) * VOLUME_SECTOR_BYTES;
    const plain = this.#cipher.decrypt(await readAt(startBytes + first, end - first), first);
    return plain.subarray(offset - first, offset - first + length);
  }
}
