/** Appends sections to an image the way systemd's ukify 257 does (spec/boot-chain.md C, "PE / UKI layout"). */
import { alignUp } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type PeImage, parsePe } from "./image.ts";
import { COFF, OPTIONAL, SECTION, SECTION_CODE_READ, SECTION_DATA_READ, SECTIONS_MAX } from "./layout.ts";

export interface NewSection {
  /** At most 8 ASCII characters, such as `.cmdline`. */
  readonly name: string;
  readonly content: Uint8Array;
  /** Marks the section as code; kernels of the EFI handover protocol run in place. */
  readonly isCode?: boolean;
}

interface PlacedSection extends NewSection {
  readonly virtualAddress: number;
  readonly rawOffset: number;
  readonly rawSizeBytes: number;
}

/** COFF symbol table entry ("PE Format": COFF Symbol Table). */
const SYMBOL_BYTES = 18;
/** Images are addressed with 32 bits. */
const IMAGE_BYTES_MAX = 2 ** 32 - 1;

/**
 * A copy of the stub with sections added after its own, in the given order.
 *
 * The stub's own sections stay unchanged. A COFF symbol table after the sections (systemd before
 * 254 leaves one) is dropped.
 *
 * @param stub systemd-stub or systemd's add-on stub, not signed
 * @throws SealrootError `conflict` when the stub has a section with that name or is signed, `unsupported` when its
 *   headers have no room
 */
export function addSections(stub: Uint8Array, sections: readonly NewSection[]): Uint8Array {
  const image = parsePe(stub, "systemd-stub");
  if (image.unsignedEnd !== stub.length) {
    throw new SealrootError("conflict", "Cannot add sections to the stub: it is signed", {
      hint: "give the stub without a signature; the result is signed as a whole",
    });
  }
  const hasSymbols = checkStubEnd(image);
  const sizeOfHeaders = alignUp(image.sizeOfHeaders, image.fileAlignment);
  checkRoom(image, sections, sizeOfHeaders);
  const placed = placeSections(image, sections);
  const last = placed.at(-1);
  if (last === undefined) throw new SealrootError("usage", "Cannot add sections to the stub: none given");
  const output = new Uint8Array(last.rawOffset + last.rawSizeBytes);
  output.set(stub.subarray(0, image.sectionsEnd));
  const view = new DataView(output.buffer);
  placed.forEach((section, index) => {
    writeSectionHeader(
      output,
      view,
      image.sectionTableOffset + (image.sections.length + index) * SECTION.bytes,
      section,
    );
    output.set(section.content, section.rawOffset);
  });
  updateHeaders(view, image, placed, hasSymbols);
  return output;
}

/** What follows the stub's sections must be nothing or exactly its symbol and string table; true when it is the latter. */
function checkStubEnd(image: PeImage): boolean {
  if (image.sectionsEnd === image.bytes.length) return false;
  const view = new DataView(image.bytes.buffer, image.bytes.byteOffset, image.bytes.byteLength);
  const start = view.getUint32(image.coffOffset + COFF.pointerToSymbolTable, true);
  const stringsStart = start + view.getUint32(image.coffOffset + COFF.numberOfSymbols, true) * SYMBOL_BYTES;
  const isSymbols =
    start === image.sectionsEnd &&
    stringsStart + 4 <= image.bytes.length &&
    stringsStart + view.getUint32(stringsStart, true) === image.bytes.length;
  if (isSymbols) return true;
  throw corrupt(`Cannot add sections to the stub: ${image.bytes.length - image.sectionsEnd} unknown bytes at its end`, {
    offset: image.sectionsEnd,
  });
}

function checkRoom(image: PeImage, sections: readonly NewSection[], sizeOfHeaders: number): void {
  const names = new Set(image.sections.map((section) => section.name));
  for (const { name, content } of sections) {
    if (!/^[!-~]{1,8}$/.test(name) || content.length === 0) {
      throw new SealrootError("usage", `Cannot add section "${name}" of ${content.length} bytes to the stub`, {
        expected: "1 to 8 ASCII characters, content not empty",
      });
    }
    if (names.has(name)) {
      throw new SealrootError("conflict", `Cannot add section ${name} to the stub: it already has one`);
    }
    names.add(name);
  }
  const count = image.sections.length + sections.length;
  const tableEnd = image.sectionTableOffset + count * SECTION.bytes;
  if (count > SECTIONS_MAX || tableEnd > sizeOfHeaders) {
    throw new SealrootError(
      "unsupported",
      `Cannot add ${sections.length} sections to the stub: its headers of ${sizeOfHeaders} bytes have no room for ${count}`,
    );
  }
}

function placeSections(image: PeImage, sections: readonly NewSection[]): readonly PlacedSection[] {
  let rawEnd = alignUp(image.sectionsEnd, image.fileAlignment);
  let virtualEnd = Math.max(...image.sections.map((section) => section.virtualAddress + section.virtualSizeBytes), 0);
  return sections.map((section) => {
    const virtualAddress = alignUp(virtualEnd, image.sectionAlignment);
    const rawOffset = rawEnd;
    const rawSizeBytes = alignUp(section.content.length, image.fileAlignment);
    rawEnd = rawOffset + rawSizeBytes;
    virtualEnd = virtualAddress + section.content.length;
    if (virtualEnd + image.sectionAlignment > IMAGE_BYTES_MAX || rawEnd > IMAGE_BYTES_MAX) {
      throw new SealrootError("unsupported", `Cannot add section ${section.name}: the image would exceed 4 GiB`);
    }
    return { ...section, virtualAddress, rawOffset, rawSizeBytes };
  });
}

function writeSectionHeader(output: Uint8Array, view: DataView, offset: number, section: PlacedSection): void {
  output.fill(0, offset, offset + SECTION.bytes);
  output.set(Buffer.from(section.name, "latin1"), offset + SECTION.name);
  view.setUint32(offset + SECTION.virtualSize, section.content.length, true);
  view.setUint32(offset + SECTION.virtualAddress, section.virtualAddress, true);
  view.setUint32(offset + SECTION.sizeOfRawData, section.rawSizeBytes, true);
  view.setUint32(offset + SECTION.pointerToRawData, section.rawOffset, true);
  const characteristics = section.isCode === true ? SECTION_CODE_READ : SECTION_DATA_READ;
  view.setUint32(offset + SECTION.characteristics, characteristics, true);
}

/** SizeOfCode, entry point and time stamp stay; CheckSum is zero, as in ukify; firmware ignores it. */
function updateHeaders(view: DataView, image: PeImage, placed: readonly PlacedSection[], hasSymbols: boolean): void {
  const { coffOffset, optionalHeaderOffset: optional } = image;
  view.setUint16(coffOffset + COFF.numberOfSections, image.sections.length + placed.length, true);
  if (hasSymbols) {
    view.setUint32(coffOffset + COFF.pointerToSymbolTable, 0, true);
    view.setUint32(coffOffset + COFF.numberOfSymbols, 0, true);
  }
  const addedBytes = placed.reduce((sum, section) => sum + section.content.length, 0);
  const oldBytes = view.getUint32(optional + OPTIONAL.sizeOfInitializedData, true);
  view.setUint32(optional + OPTIONAL.sizeOfInitializedData, oldBytes + addedBytes, true);
  const end = placed.reduce((max, section) => Math.max(max, section.virtualAddress + section.content.length), 0);
  view.setUint32(optional + OPTIONAL.sizeOfImage, alignUp(end, image.sectionAlignment), true);
  view.setUint32(optional + OPTIONAL.sizeOfHeaders, alignUp(image.sizeOfHeaders, image.fileAlignment), true);
  view.setUint32(optional + OPTIONAL.checkSum, 0, true);
}
