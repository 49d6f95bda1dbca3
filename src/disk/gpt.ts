/** Reads GUID partition tables, so that disks and disk files can be inspected without root (UEFI 2.10, 5.3). */
import { crc32 } from "node:zlib";
import { ByteCursor, byteString, UUID_BYTES, uuidOfMixedEndian } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { SECTOR_BYTES } from "./partition-plan.ts";

/** One used entry of the table. The range is half-open, although the table's own last LBA is inclusive. */
export interface Partition {
  /** 1-based number, the N of /dev/sdaN. */
  readonly number: number;
  readonly typeGuid: string;
  readonly guid: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly attributes: bigint;
  readonly name: string;
}

export interface PartitionTable {
  readonly diskGuid: string;
  readonly partitions: readonly Partition[];
}

/** Reads `lengthBytes` bytes at `offsetBytes`; fewer only at the end of the disk. */
export type ReadAt = (offsetBytes: number, lengthBytes: number) => Promise<Uint8Array>;

const SIGNATURE = "EFI PART";
const HEADER_BYTES = 92;
const REVISION_1_0 = 0x00010000;
const MINIMUM_ENTRY_BYTES = 128;
/** Far above the 128 entries every tool writes; bounds the memory a hostile table can demand. */
const ENTRY_LIMIT = 1024;
const NAME_BYTES = 72;
const UNUSED = "00000000-0000-0000-0000-000000000000";

interface Header {
  readonly diskGuid: string;
  readonly entriesOffsetBytes: number;
  readonly entryCount: number;
  readonly entryBytes: number;
  readonly entriesCrc32: number;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
}

/**
 * Reads the primary table (of disks with 512-byte sectors) and checks both of its checksums.
 *
 * @throws SealrootError `not-found` when there is no table; `corrupt` when it is damaged; `unsupported` for more entries
 *   than {@link ENTRY_LIMIT}
 */
export async function readPartitionTable(readAt: ReadAt): Promise<PartitionTable> {
  const header = parseHeader(await readAt(SECTOR_BYTES, SECTOR_BYTES));
  const entries = await readAt(header.entriesOffsetBytes, header.entryCount * header.entryBytes);
  if (entries.length < header.entryCount * header.entryBytes) {
    throw corrupt("Cannot read the partition table: the entries are past the end of the disk", {
      offset: header.entriesOffsetBytes,
    });
  }
  checkCrc32("entries", entries, header.entriesCrc32);
  const partitions: Partition[] = [];
  for (let index = 0; index < header.entryCount; index++) {
    const start = index * header.entryBytes;
    const partition = parseEntry(entries.subarray(start, start + header.entryBytes), index + 1, header);
    if (partition !== undefined) partitions.push(partition);
  }
  return { diskGuid: header.diskGuid, partitions };
}

function parseHeader(sector: Uint8Array): Header {
  const cursor = new ByteCursor(sector, "partition table");
  if (sector.length < SECTOR_BYTES || byteString(cursor.take(SIGNATURE.length)) !== SIGNATURE) {
    throw new SealrootError("not-found", "Cannot find a GUID partition table: no EFI PART signature in sector 1");
  }
  const revision = cursor.u32();
  const headerBytes = cursor.u32();
  if (revision !== REVISION_1_0 || headerBytes !== HEADER_BYTES) {
    throw corrupt(`Cannot read the partition table: revision ${revision.toString(16)}, header of ${headerBytes} bytes`);
  }
  checkHeaderCrc32(sector.subarray(0, HEADER_BYTES), cursor.u32());
  cursor.skip(4 + 8 + 8); // reserved, own LBA, LBA of the mirrored header
  const firstUsableLba = cursor.size();
  const lastUsableLba = cursor.size();
  const diskGuid = uuidOfMixedEndian(cursor.take(UUID_BYTES));
  const entriesOffsetBytes = cursor.size() * SECTOR_BYTES;
  const entryCount = cursor.u32();
  const entryBytes = cursor.u32();
  const entriesCrc32 = cursor.u32();
  if (entryCount > ENTRY_LIMIT || entryBytes < MINIMUM_ENTRY_BYTES || entryBytes > SECTOR_BYTES) {
    throw new SealrootError(
      "unsupported",
      `Cannot read the partition table: ${entryCount} entries of ${entryBytes} bytes are out of range`,
    );
  }
  return { diskGuid, entriesOffsetBytes, entryCount, entryBytes, entriesCrc32, firstUsableLba, lastUsableLba };
}

/** The header's checksum is computed with its own field (offset 16) zero. */
function checkHeaderCrc32(header: Uint8Array, expected: number): void {
  const zeroed = Uint8Array.from(header);
  zeroed.fill(0, 16, 20);
  checkCrc32("header", zeroed, expected);
}

function checkCrc32(what: string, bytes: Uint8Array, expected: number): void {
  const actual = crc32(bytes);
  if (actual === expected) return;
  throw corrupt(`Cannot read the partition table: the checksum of the ${what} is wrong`, {
    expected: expected.toString(16),
    actual: actual.toString(16),
  });
}

function parseEntry(bytes: Uint8Array, number: number, header: Header): Partition | undefined {
  const cursor = new ByteCursor(bytes, `partition ${number}`);
  const typeGuid = uuidOfMixedEndian(cursor.take(UUID_BYTES));
  if (typeGuid === UNUSED) return undefined;
  const guid = uuidOfMixedEndian(cursor.take(UUID_BYTES));
  const firstLba = cursor.size();
  const lastLba = cursor.size();
  const attributes = cursor.u64();
  if (firstLba < header.firstUsableLba || lastLba > header.lastUsableLba || lastLba < firstLba) {
    throw corrupt(`Cannot read the partition table: partition ${number} covers sectors ${firstLba} to ${lastLba}`);
  }
  return {
    number,
    typeGuid,
    guid,
    startBytes: firstLba * SECTOR_BYTES,
    sizeBytes: (lastLba - firstLba + 1) * SECTOR_BYTES,
    attributes,
    name: nameText(cursor.take(NAME_BYTES)),
  };
}

/** UTF-16LE up to the first NUL. */
function nameText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf16le");
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}
