/** The shape of an ESP's FAT32 file system: decided from its partition, and read back (Microsoft FAT specification 1.03). */
import { corrupt } from "../errors/index.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
export const BOOT_SECTOR_BYTES = 512;
/** Fewer clusters mean FAT12, fewer than 65525 FAT16, whatever the boot sector calls itself ("FAT Type Determination"). */
const LEAST_FAT16_CLUSTERS = 4085;
const LEAST_FAT32_CLUSTERS = 65525;
/** The last two bytes of a boot sector. */
const SIGNATURE = 0xaa55;
const DIRECTORY_ENTRY_BYTES = 32;

/**
 * The cluster size for an ESP. Up to 512 MiB, clusters larger than a sector would be too few; above, the sizes of the
 * specification's table for FAT32.
 */
export function espClusterBytes(partitionBytes: number): number {
  if (partitionBytes <= 512 * MIB) return 512;
  if (partitionBytes <= 8 * GIB) return 4096;
  if (partitionBytes <= 16 * GIB) return 8192;
  return partitionBytes <= 32 * GIB ? 16384 : 32768;
}

/** What a boot sector says. */
export interface FatGeometry {
  readonly type: "FAT12" | "FAT16" | "FAT32";
  readonly sizeBytes: number;
  readonly clusterBytes: number;
}

/**
 * @param sector the first {@link BOOT_SECTOR_BYTES} of the file system; fields by their BPB_ names
 * @throws SealrootError `corrupt` when it is not a boot sector
 */
export function readFatGeometry(sector: Uint8Array): FatGeometry {
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  const u16 = (offset: number): number => view.getUint16(offset, true);
  if (sector.length < BOOT_SECTOR_BYTES || u16(510) !== SIGNATURE) {
    throw corrupt("Cannot read the ESP: there is no boot sector", { offset: 510 });
  }
  const sectorBytes = u16(11); // BytsPerSec
  const clusterSectors = view.getUint8(13); // SecPerClus
  const sectors = u16(19) || view.getUint32(32, true); // TotSec16, TotSec32
  const fatSectors = view.getUint8(16) * (u16(22) || view.getUint32(36, true)); // NumFATs, FATSz16, FATSz32
  const rootSectors = Math.ceil((u16(17) * DIRECTORY_ENTRY_BYTES) / sectorBytes); // RootEntCnt
  const dataSectors = sectors - u16(14) - fatSectors - rootSectors; // RsvdSecCnt
  return {
    type: typeOf(Math.floor(dataSectors / clusterSectors)),
    sizeBytes: sectors * sectorBytes,
    clusterBytes: clusterSectors * sectorBytes,
  };
}

function typeOf(clusters: number): FatGeometry["type"] {
  if (clusters < LEAST_FAT16_CLUSTERS) return "FAT12";
  return clusters < LEAST_FAT32_CLUSTERS ? "FAT16" : "FAT32";
}
