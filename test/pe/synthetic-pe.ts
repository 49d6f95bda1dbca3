/** Small PE32+ images written field by field, independently of src/pe, for tests that need to know every byte. */

export interface SyntheticSection {
  readonly name: string;
  readonly content: Buffer;
  readonly virtualAddress?: number;
  readonly rawOffset?: number;
  readonly virtualSize?: number;
}

export interface SyntheticOptions {
  readonly machine?: number;
  readonly sizeOfHeaders?: number;
  readonly magic?: number;
}

export const FILE_ALIGNMENT = 512;
export const SECTION_ALIGNMENT = 4096;
/** Offsets in the image: PE header right behind a 64-byte DOS header, optional header of 240 bytes. */
export const PE_OFFSET = 64;
export const OPTIONAL_OFFSET = PE_OFFSET + 24;
export const SECTION_TABLE_OFFSET = OPTIONAL_OFFSET + 240;
export const CERTIFICATE_DIRECTORY_OFFSET = OPTIONAL_OFFSET + 144;

const up = (value: number, alignment: number) => Math.ceil(value / alignment) * alignment;

export function syntheticPe(sections: readonly SyntheticSection[], options: SyntheticOptions = {}): Buffer {
  const sizeOfHeaders = options.sizeOfHeaders ?? 1024;
  let raw = sizeOfHeaders;
  let virtual = SECTION_ALIGNMENT;
  const placed = sections.map((section) => {
    const rawSize = up(section.content.length, FILE_ALIGNMENT);
    const virtualSize = section.virtualSize ?? section.content.length;
    const at = {
      ...section,
      virtualSize,
      rawSize,
      raw: section.rawOffset ?? raw,
      va: section.virtualAddress ?? virtual,
    };
    raw += rawSize;
    virtual = up(virtual + virtualSize, SECTION_ALIGNMENT);
    return at;
  });
  const image = Buffer.alloc(raw);
  image.write("MZ", 0, "latin1");
  image.writeUInt32LE(PE_OFFSET, 0x3c);
  image.write("PE\0\0", PE_OFFSET, "latin1");
  image.writeUInt16LE(options.machine ?? 0x8664, PE_OFFSET + 4);
  image.writeUInt16LE(sections.length, PE_OFFSET + 6);
  image.writeUInt16LE(240, PE_OFFSET + 20);
  image.writeUInt16LE(0x206, PE_OFFSET + 22);
  image.writeUInt16LE(options.magic ?? 0x20b, OPTIONAL_OFFSET);
  image.writeUInt32LE(SECTION_ALIGNMENT, OPTIONAL_OFFSET + 16); // entry point: beginning of the first section
  image.writeUInt32LE(SECTION_ALIGNMENT, OPTIONAL_OFFSET + 32);
  image.writeUInt32LE(FILE_ALIGNMENT, OPTIONAL_OFFSET + 36);
  image.writeUInt32LE(virtual, OPTIONAL_OFFSET + 56);
  image.writeUInt32LE(sizeOfHeaders, OPTIONAL_OFFSET + 60);
  image.writeUInt16LE(10, OPTIONAL_OFFSET + 68); // Subsystem: EFI application
  image.writeUInt32LE(16, OPTIONAL_OFFSET + 108);
  placed.forEach((section, index) => {
    const header = SECTION_TABLE_OFFSET + index * 40;
    image.write(section.name, header, 8, "latin1");
    image.writeUInt32LE(section.virtualSize, header + 8);
    image.writeUInt32LE(section.va, header + 12);
    image.writeUInt32LE(section.rawSize, header + 16);
    image.writeUInt32LE(section.raw, header + 20);
    image.writeUInt32LE(section.name === ".text" ? 0x60000020 : 0x40000040, header + 36);
    if (section.rawOffset === undefined) section.content.copy(image, section.raw);
  });
  return image;
}

const ascii = (text: string) => Buffer.from(text, "latin1");

/** Something shaped like systemd-stub 257: its sections, a SBAT, a version. */
export function syntheticStub(options: SyntheticOptions = {}): Buffer {
  const sbat =
    "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\nstub,1,A,stub,1,https://a\n";
  return syntheticPe(
    [
      { name: ".text", content: Buffer.alloc(700, 0xc3) },
      { name: ".sbat", content: ascii(sbat) },
      { name: ".sdmagic", content: ascii("#### LoaderInfo: systemd-stub 257.13-1 ####\0") },
    ],
    options,
  );
}

/** Something shaped like a kernel with EFI stub: a PE image with the x86 setup header in its first kilobyte. */
export function syntheticKernel(options: SyntheticOptions = {}): Buffer {
  const kernel = syntheticPe([{ name: ".setup", content: Buffer.alloc(3000, 0x90) }], options);
  kernel.write("HdrS", 0x202, "latin1");
  kernel.writeUInt16LE(0x400, 0x20e);
  kernel.write("6.12.107-test (debian-kernel@lists) #1 SMP\0", 0x600, "latin1");
  return kernel;
}
