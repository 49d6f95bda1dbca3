/**
 * Where the fields of a PE32+ file are (Microsoft "PE Format": MS-DOS Stub, COFF File Header, Optional Header, Section
 * Table). Field offsets are from the beginning of their header.
 */

/** "MZ" and "PE\0\0" as little-endian numbers. */
export const DOS_MAGIC = 0x5a4d;
export const PE_MAGIC = 0x00004550;
/** File offset of the PE header's file offset (e_lfanew). */
export const PE_OFFSET_FIELD = 0x3c;

/** COFF File Header, from the "PE\0\0" signature on. */
export const COFF = {
  machine: 4,
  numberOfSections: 6,
  pointerToSymbolTable: 12,
  numberOfSymbols: 16,
  sizeOfOptionalHeader: 20,
  end: 24,
} as const;

/** Optional Header of a PE32+ file; `dataDirectories` is where the fixed part ends. */
export const OPTIONAL = {
  magic: 0,
  sizeOfInitializedData: 8,
  sectionAlignment: 32,
  fileAlignment: 36,
  sizeOfImage: 56,
  sizeOfHeaders: 60,
  checkSum: 64,
  numberOfDataDirectories: 108,
  dataDirectories: 112,
} as const;

/** Optional header magic of PE32+ (64-bit addresses) and PE32. */
export const PE32_PLUS_MAGIC = 0x20b;
export const PE32_MAGIC = 0x10b;

export const DATA_DIRECTORY_BYTES = 8;
export const DATA_DIRECTORIES_MAX = 16;
/** Data directory 4, the certificate table; its address is a file offset. */
export const CERTIFICATE_DIRECTORY = 4;

/** Section Table entry. */
export const SECTION = {
  name: 0,
  virtualSize: 8,
  virtualAddress: 12,
  sizeOfRawData: 16,
  pointerToRawData: 20,
  characteristics: 36,
  bytes: 40,
} as const;

/** Sections an image may have; the Windows loader's limit, and three times what a large UKI has. */
export const SECTIONS_MAX = 96;

/** Section characteristics. */
export const SECTION_CODE_READ = 0x40000020;
export const SECTION_DATA_READ = 0x40000040;

/** The certificate table starts, and each of its entries is padded, on this boundary ("The Attribute Certificate Table"). */
export const CERTIFICATE_ALIGNMENT = 8;
