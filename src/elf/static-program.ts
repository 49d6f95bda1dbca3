/** The smallest ELF programs: one header, one loadable segment, machine code (gABI chapter 4, elf(5)). */
import { ByteWriter } from "../bytes/index.ts";

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
/** Where the segment is loaded; the traditional base of x86-64 programs, free on every CPU. */
const BASE_ADDRESS = 0x400000;
const ET_EXEC = 2;
const PT_LOAD = 1;
const READ_AND_EXECUTE = 5;

/**
 * A static program whose entry point is the first byte of `code`. The code must be position-independent or linked for
 * 0x400078.
 *
 * @param machine e_machine
 */
export function writeStaticProgram(machine: number, code: Uint8Array): Uint8Array {
  const sizeBytes = HEADER_BYTES + PROGRAM_HEADER_BYTES + code.length;
  const writer = new ByteWriter(sizeBytes);
  writer.u32(0x464c457f).u8(2).u8(1).u8(1).zeros(9); // magic, 64-bit, little-endian, version 1
  writer.u16(ET_EXEC).u16(machine).u32(1);
  writer.u64(BASE_ADDRESS + HEADER_BYTES + PROGRAM_HEADER_BYTES); // entry point
  writer.u64(HEADER_BYTES).u64(0).u32(0); // program headers, no section headers, no flags
  writer.u16(HEADER_BYTES).u16(PROGRAM_HEADER_BYTES).u16(1).u16(0).u16(0).u16(0);
  writer.u32(PT_LOAD).u32(READ_AND_EXECUTE).u64(0).u64(BASE_ADDRESS).u64(BASE_ADDRESS);
  writer.u64(sizeBytes).u64(sizeBytes).u64(0x1000);
  return writer.bytes(code).finish();
}
