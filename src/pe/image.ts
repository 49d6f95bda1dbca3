/** Reads the headers and sections of a PE32+ image and refuses what is ambiguous. */
import { corrupt, SealrootError } from "../errors/index.ts";
import {
  CERTIFICATE_ALIGNMENT,
  CERTIFICATE_DIRECTORY,
  COFF,
  DATA_DIRECTORIES_MAX,
  DATA_DIRECTORY_BYTES,
  DOS_MAGIC,
  OPTIONAL,
  PE_MAGIC,
  PE_OFFSET_FIELD,
  PE32_MAGIC,
  PE32_PLUS_MAGIC,
  SECTION,
  SECTIONS_MAX,
} from "./layout.ts";

/** Architectures as UEFI abbreviates them in file names such as BOOTX64.EFI (UEFI 2.10, 3.5.1.1). */
export type EfiArchitecture = "x64" | "aa64" | "riscv64" | "loongarch64";

/** Machine types ("PE Format": Machine Types). 32-bit machines have PE32 images, which are not read here. */
const ARCHITECTURE_OF_MACHINE: ReadonlyMap<number, EfiArchitecture> = new Map([
  [0x8664, "x64"],
  [0xaa64, "aa64"],
  [0x5064, "riscv64"],
  [0x6264, "loongarch64"],
]);

export interface PeSection {
  /** Name without its NUL padding, such as `.cmdline`. */
  readonly name: string;
  /** Length of the content in memory. */
  readonly virtualSizeBytes: number;
  readonly virtualAddress: number;
  /** Length and place in the file; the length is usually rounded up to the file alignment. */
  readonly rawSizeBytes: number;
  readonly rawOffset: number;
  readonly characteristics: number;
}

/** A checked PE32+ image. Offsets are from the beginning of the file. */
export interface PeImage {
  readonly bytes: Uint8Array;
  readonly architecture: EfiArchitecture;
  readonly coffOffset: number;
  readonly optionalHeaderOffset: number;
  readonly sectionTableOffset: number;
  readonly sectionAlignment: number;
  readonly fileAlignment: number;
  readonly sizeOfHeaders: number;
  /** In the order of the section table. */
  readonly sections: readonly PeSection[];
  /** Where the last section's data ends in the file; what follows, up to `unsignedEnd`, belongs to no section. */
  readonly sectionsEnd: number;
  /** Where the certificate table begins, or the end of the file if there is none. */
  readonly unsignedEnd: number;
  /** File offset of data directory 4. */
  readonly certificateDirectoryOffset: number;
}

/**
 * Reads a PE32+ image.
 *
 * Checked: every header and section lies inside the file, no two sections share bytes or addresses, and the certificate
 * table, if any, is the end of the file.
 *
 * @param what names the image in errors, such as `systemd-stub`
 * @throws SealrootError `corrupt`, or `unsupported` for 32-bit images and unknown machines
 */
export function parsePe(bytes: Uint8Array, what = "PE image"): PeImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const coffOffset = findCoffHeader(view, what);
  const machine = view.getUint16(coffOffset + COFF.machine, true);
  const architecture = ARCHITECTURE_OF_MACHINE.get(machine);
  const optionalHeaderOffset = coffOffset + COFF.end;
  const optionalHeaderBytes = view.getUint16(coffOffset + COFF.sizeOfOptionalHeader, true);
  const sectionTableOffset = optionalHeaderOffset + optionalHeaderBytes;
  checkOptionalHeader(view, optionalHeaderOffset, sectionTableOffset, what);
  if (architecture === undefined) {
    throw new SealrootError("unsupported", `Cannot read ${what}: machine type 0x${machine.toString(16)} is not known`, {
      expected: [...ARCHITECTURE_OF_MACHINE.values()].join(", "),
      actual: `0x${machine.toString(16)}`,
    });
  }
  const sizeOfHeaders = view.getUint32(optionalHeaderOffset + OPTIONAL.sizeOfHeaders, true);
  const sectionCount = view.getUint16(coffOffset + COFF.numberOfSections, true);
  const sectionTableEnd = sectionTableOffset + sectionCount * SECTION.bytes;
  if (sectionCount > SECTIONS_MAX || sectionTableEnd > sizeOfHeaders || sizeOfHeaders > bytes.length) {
    throw corrupt(
      `Cannot parse ${what}: ${sectionCount} sections up to offset ${sectionTableEnd} in headers of ${sizeOfHeaders} bytes`,
      { offset: sectionTableOffset },
    );
  }
  const sections = Array.from({ length: sectionCount }, (_, index) =>
    readSection(bytes, view, sectionTableOffset + index * SECTION.bytes),
  );
  const certificateDirectoryOffset =
    optionalHeaderOffset + OPTIONAL.dataDirectories + CERTIFICATE_DIRECTORY * DATA_DIRECTORY_BYTES;
  const unsignedEnd = findUnsignedEnd(view, certificateDirectoryOffset, what);
  const sectionsEnd = checkSections(sections, sizeOfHeaders, unsignedEnd, what);
  return {
    bytes,
    architecture,
    coffOffset,
    optionalHeaderOffset,
    sectionTableOffset,
    sectionAlignment: view.getUint32(optionalHeaderOffset + OPTIONAL.sectionAlignment, true),
    fileAlignment: view.getUint32(optionalHeaderOffset + OPTIONAL.fileAlignment, true),
    sizeOfHeaders,
    sections,
    sectionsEnd,
    unsignedEnd,
    certificateDirectoryOffset,
  };
}

/**
 * The section with this name, undefined if there is none.
 * @throws SealrootError `unsupported` when there are several: which one counts would depend on the reader
 */
export function findSection(image: PeImage, name: string, what = "PE image"): PeSection | undefined {
  const [section, ...others] = image.sections.filter((candidate) => candidate.name === name);
  if (others.length === 0) return section;
  throw new SealrootError("unsupported", `Cannot read ${what}: it has ${others.length + 1} sections ${name}`);
}

/**
 * The content of a section, a view: the first VirtualSize bytes, or what the file holds of them. The rest is zeros in memory: ukify
 * since 258 gives `.linux` the room that the kernel takes once it is unpacked (systemd, src/boot/pe.c, PeSectionVector.file_size).
 */
export function sectionContent(image: PeImage, section: PeSection): Uint8Array {
  const sizeBytes = Math.min(section.virtualSizeBytes, section.rawSizeBytes);
  return image.bytes.subarray(section.rawOffset, section.rawOffset + sizeBytes);
}

function findCoffHeader(view: DataView, what: string): number {
  if (view.byteLength < PE_OFFSET_FIELD + 4 || view.getUint16(0, true) !== DOS_MAGIC) {
    throw corrupt(`Cannot parse ${what}: it does not begin with an MZ header`, { offset: 0 });
  }
  const coffOffset = view.getUint32(PE_OFFSET_FIELD, true);
  if (coffOffset + COFF.end > view.byteLength || view.getUint32(coffOffset, true) !== PE_MAGIC) {
    throw corrupt(`Cannot parse ${what}: no PE header at offset ${coffOffset}`, { offset: PE_OFFSET_FIELD });
  }
  return coffOffset;
}

function checkOptionalHeader(view: DataView, start: number, end: number, what: string): void {
  if (end > view.byteLength || start + OPTIONAL.dataDirectories > end) {
    throw corrupt(`Cannot parse ${what}: optional header of ${end - start} bytes`, { offset: start });
  }
  const magic = view.getUint16(start + OPTIONAL.magic, true);
  if (magic === PE32_MAGIC) throw new SealrootError("unsupported", `Cannot read ${what}: it is a 32-bit image (PE32)`);
  if (magic !== PE32_PLUS_MAGIC) {
    throw corrupt(`Cannot parse ${what}: optional header magic 0x${magic.toString(16)}`, { offset: start });
  }
  const directories = view.getUint32(start + OPTIONAL.numberOfDataDirectories, true);
  const directoriesEnd = start + OPTIONAL.dataDirectories + directories * DATA_DIRECTORY_BYTES;
  // Firmware needs directory 4 to exist before an image can be signed.
  if (directories <= CERTIFICATE_DIRECTORY || directories > DATA_DIRECTORIES_MAX || directoriesEnd > end) {
    throw corrupt(`Cannot parse ${what}: ${directories} data directories`, {
      offset: start + OPTIONAL.numberOfDataDirectories,
    });
  }
  for (const field of [OPTIONAL.sectionAlignment, OPTIONAL.fileAlignment]) {
    const alignment = view.getUint32(start + field, true);
    if (alignment === 0 || (alignment & (alignment - 1)) !== 0) {
      throw corrupt(`Cannot parse ${what}: alignment ${alignment} is not a power of two`, { offset: start + field });
    }
  }
}

function readSection(bytes: Uint8Array, view: DataView, offset: number): PeSection {
  const name = Buffer.from(bytes.buffer, bytes.byteOffset + offset, SECTION.virtualSize).toString("latin1");
  return {
    name: name.replace(/\0+$/, ""),
    virtualSizeBytes: view.getUint32(offset + SECTION.virtualSize, true),
    virtualAddress: view.getUint32(offset + SECTION.virtualAddress, true),
    rawSizeBytes: view.getUint32(offset + SECTION.sizeOfRawData, true),
    rawOffset: view.getUint32(offset + SECTION.pointerToRawData, true),
    characteristics: view.getUint32(offset + SECTION.characteristics, true),
  };
}

/** Checks that no two sections overlap, in the file and in memory; returns where the last one ends in the file. */
function checkSections(sections: readonly PeSection[], sizeOfHeaders: number, fileEnd: number, what: string): number {
  const inFile = sections
    .filter((section) => section.rawSizeBytes > 0)
    .map((section) => ({
      name: section.name,
      start: section.rawOffset,
      end: section.rawOffset + section.rawSizeBytes,
    }));
  const inMemory = sections.map((section) => ({
    name: section.name,
    start: section.virtualAddress,
    end: section.virtualAddress + Math.max(section.virtualSizeBytes, 1),
  }));
  checkDisjoint(inMemory, 0, 2 ** 32, what, "address");
  return checkDisjoint(inFile, sizeOfHeaders, fileEnd, what, "file offset");
}

function checkDisjoint(
  ranges: { readonly name: string; readonly start: number; readonly end: number }[],
  start: number,
  end: number,
  what: string,
  unit: string,
): number {
  let free = start;
  for (const range of ranges.sort((a, b) => a.start - b.start)) {
    if (range.start < free || range.end > end) {
      throw corrupt(
        `Cannot parse ${what}: section ${range.name} at ${unit} ${range.start} to ${range.end}, free is ${free} to ${end}`,
      );
    }
    free = range.end;
  }
  return free;
}

function findUnsignedEnd(view: DataView, directoryOffset: number, what: string): number {
  const start = view.getUint32(directoryOffset, true);
  const sizeBytes = view.getUint32(directoryOffset + 4, true);
  if (start === 0 && sizeBytes === 0) return view.byteLength;
  if (start % CERTIFICATE_ALIGNMENT !== 0 || sizeBytes === 0 || start + sizeBytes !== view.byteLength) {
    throw corrupt(
      `Cannot parse ${what}: certificate table at ${start} of ${sizeBytes} bytes is not the end of the file (${view.byteLength})`,
      { offset: directoryOffset },
    );
  }
  return start;
}
