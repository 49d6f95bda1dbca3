/** A valid PE32+ image with the given sections and nothing to run. */
import { alignUp, ByteWriter } from "../../src/bytes/index.ts";

const SECTION_ALIGNMENT = 4096;
const FILE_ALIGNMENT = 512;
const HEADER_BYTES = 1024;
const MACHINE = { x64: 0x8664, aa64: 0xaa64 } as const;

/** Fields in the order of Microsoft's "PE Format"; sections in the order of `sections`. */
export function peImage(sections: Readonly<Record<string, string | Uint8Array>>, architecture: "x64" | "aa64" = "x64") {
  const contents = Object.entries(sections).map(([name, content]) => ({ name, bytes: Buffer.from(content) }));
  const imageBytes = contents.reduce(
    (end, { bytes }) => end + alignUp(bytes.length, SECTION_ALIGNMENT),
    SECTION_ALIGNMENT,
  );
  const writer = new ByteWriter(HEADER_BYTES);
  writer
    .latin1("MZ")
    .zeros(0x3c - 2)
    .u32(64); // DOS header
  writer.latin1("PE\0\0").u16(MACHINE[architecture]).u16(contents.length).zeros(12).u16(240).u16(0x22);
  writer.u16(0x20b).u16(0).u32(0).u32(0).u32(0).u32(0).u32(0).u64(0); // optional header, standard fields
  writer.u32(SECTION_ALIGNMENT).u32(FILE_ALIGNMENT).zeros(16).u32(imageBytes).u32(HEADER_BYTES).u32(0);
  writer
    .u16(10)
    .u16(0)
    .zeros(32)
    .u32(0)
    .u32(16)
    .zeros(16 * 8);
  let rawOffset = HEADER_BYTES;
  let virtualAddress = SECTION_ALIGNMENT;
  for (const { name, bytes } of contents) {
    const rawBytes = alignUp(bytes.length, FILE_ALIGNMENT);
    writer.latin1(name.padEnd(8, "\0")).u32(bytes.length).u32(virtualAddress).u32(rawBytes).u32(rawOffset);
    writer.zeros(12).u32(0x40000040);
    rawOffset += rawBytes;
    virtualAddress += alignUp(bytes.length, SECTION_ALIGNMENT);
  }
  writer.padTo(HEADER_BYTES);
  for (const { bytes } of contents) writer.bytes(bytes).padTo(FILE_ALIGNMENT);
  return Uint8Array.from(writer.finish());
}

/** A boot loader as far as anything looks at it without starting it. */
export function loaderImage(version: string, architecture: "x64" | "aa64" = "x64"): Uint8Array {
  return peImage({ ".text": "loader", ".sdmagic": `#### LoaderInfo: systemd-boot ${version} ####` }, architecture);
}

/** An EFI stub as far as anything looks at it without starting it. */
export function stubImage(version: string, architecture: "x64" | "aa64" = "x64"): Uint8Array {
  const sbat = "sbat,1,SBAT Version\n";
  const magic = `#### LoaderInfo: systemd-stub ${version} ####`;
  return peImage({ ".text": "stub", ".sbat": sbat, ".sdmagic": magic }, architecture);
}
