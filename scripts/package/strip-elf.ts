/** A program without what only debuggers read. */
const MAGIC = 0x7f454c46;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;

/** Offsets in the ELF header and in a program header (elf(5), Elf64_Ehdr, Elf64_Phdr). */
const HEADER = { programHeaders: 32, sectionHeaders: 40, programHeaderBytes: 54, programHeaderCount: 56, sections: 58 };
const SEGMENT = { offset: 8, fileBytes: 32 };

/**
 * Cuts off what no segment has: symbols and the table of sections, 18 MB of Node's 127. The system loads segments and
 * looks at nothing else (elf(5)); unlike strip(1) it needs no tool, so that every builder gets the same bytes.
 *
 * @throws Error for anything but a 64-bit little-endian ELF file
 */
export function stripElf(program: Buffer): Buffer {
  if (program.readUInt32BE(0) !== MAGIC || program[4] !== CLASS_64 || program[5] !== LITTLE_ENDIAN) {
    throw new Error("Cannot strip the program: it is not a 64-bit little-endian ELF file");
  }
  const first = Number(program.readBigUInt64LE(HEADER.programHeaders));
  const bytes = program.readUInt16LE(HEADER.programHeaderBytes);
  const count = program.readUInt16LE(HEADER.programHeaderCount);
  const ends = Array.from({ length: count }, (_, index) => {
    const at = first + index * bytes;
    return Number(program.readBigUInt64LE(at + SEGMENT.offset) + program.readBigUInt64LE(at + SEGMENT.fileBytes));
  });
  const stripped = Buffer.from(program.subarray(0, Math.max(first + count * bytes, ...ends)));
  stripped.writeBigUInt64LE(0n, HEADER.sectionHeaders);
  // Size of an entry, number of entries, index of the section with names: none.
  stripped.fill(0, HEADER.sections, HEADER.sections + 6);
  return stripped;
}
