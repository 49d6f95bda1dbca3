/** What the dynamic loader reads from a 64-bit ELF file (gABI chapters 4 "Object Files" and 5 "Dynamic Linking"). */
import { ByteCursor, byteString } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";

/** e_machine of the CPUs known here. */
export const ELF_MACHINE = { x86_64: 62, aarch64: 183 } as const;

export interface ElfFile {
  /** e_machine. */
  readonly machine: number;
  /** Path of the dynamic loader, PT_INTERP; undefined for a library or a static program. */
  readonly interpreter: string | undefined;
  /** DT_NEEDED in order. */
  readonly needed: readonly string[];
  /** DT_RUNPATH, or DT_RPATH where there is no DT_RUNPATH (ld.so(8)); `$ORIGIN` is not replaced. */
  readonly runPath: readonly string[];
}

const WHAT = "ELF file";
const MAGIC = 0x464c457f;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0n;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_RPATH = 15n;
const DT_RUNPATH = 29n;
const PROGRAM_HEADER_BYTES = 56;
const DYNAMIC_ENTRY_BYTES = 16;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

/** True when the bytes begin like an ELF file. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new ByteCursor(bytes, WHAT).u32() === MAGIC;
}

/**
 * Reads the headers and the dynamic section.
 *
 * @param what names the file in errors
 * @throws SealrootError `corrupt` when an offset leaves the file, `unsupported` for 32-bit or big-endian files
 */
export function readElf(bytes: Uint8Array, what = WHAT): ElfFile {
  if (!isElf(bytes)) throw corrupt(`Cannot read ${what}: it is no ELF file`, { offset: 0 });
  const cursor = new ByteCursor(bytes, what, 4);
  if (cursor.u8() !== CLASS_64 || cursor.u8() !== LITTLE_ENDIAN) {
    throw new SealrootError("unsupported", `Cannot read ${what}: only 64-bit little-endian ELF files are understood`);
  }
  cursor.offset = 18; // e_machine
  const machine = cursor.u16();
  const segments = readSegments(bytes, what);
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  return {
    machine,
    interpreter: interpreter && textAt(bytes, interpreter.offset, what),
    ...(dynamic === undefined ? { needed: [], runPath: [] } : readDynamic(bytes, dynamic, segments, what)),
  };
}

function readSegments(bytes: Uint8Array, what: string): Segment[] {
  const cursor = new ByteCursor(bytes, what, 32); // e_phoff
  const tableOffset = cursor.size();
  cursor.offset = 54; // e_phentsize
  const entryBytes = cursor.u16();
  const count = cursor.u16();
  if (count > 0 && entryBytes !== PROGRAM_HEADER_BYTES) {
    throw corrupt(`Cannot read ${what}: program headers of ${entryBytes} bytes`, { offset: 54 });
  }
  const segments: Segment[] = [];
  for (let index = 0; index < count; index++) {
    cursor.offset = tableOffset + index * PROGRAM_HEADER_BYTES;
    const type = cursor.u32();
    cursor.skip(4); // p_flags
    const offset = cursor.size();
    const address = cursor.size();
    cursor.skip(8); // p_paddr
    segments.push({ type, offset, address, fileBytes: cursor.size() });
  }
  return segments;
}

function readDynamic(
  bytes: Uint8Array,
  dynamic: Segment,
  segments: readonly Segment[],
  what: string,
): { needed: string[]; runPath: string[] } {
  const found: { readonly tag: bigint; readonly value: bigint }[] = [];
  const cursor = new ByteCursor(bytes, what, dynamic.offset);
  for (let left = dynamic.fileBytes; left >= DYNAMIC_ENTRY_BYTES; left -= DYNAMIC_ENTRY_BYTES) {
    const tag = cursor.i64();
    const value = cursor.u64();
    if (tag === DT_NULL) break;
    found.push({ tag, value });
  }
  const firstValue = (tag: bigint) => found.find((entry) => entry.tag === tag)?.value;
  const tableAddress = firstValue(DT_STRTAB);
  if (tableAddress === undefined) throw corrupt(`Cannot read ${what}: a dynamic section without DT_STRTAB`);
  const tableOffset = fileOffset(Number(tableAddress), segments, what);
  const text = (value: bigint) => textAt(bytes, tableOffset + Number(value), what);
  const runPath = firstValue(DT_RUNPATH) ?? firstValue(DT_RPATH);
  return {
    needed: found.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => text(value)),
    runPath:
      runPath === undefined
        ? []
        : text(runPath)
            .split(":")
            .filter((directory) => directory !== ""),
  };
}

/** The offset in the file of what is loaded at an address. */
function fileOffset(address: number, segments: readonly Segment[], what: string): number {
  const segment = segments.find(
    (one) => one.type === PT_LOAD && address >= one.address && address < one.address + one.fileBytes,
  );
  if (segment === undefined) throw corrupt(`Cannot read ${what}: address ${address} is not in the file`);
  return segment.offset + (address - segment.address);
}

function textAt(bytes: Uint8Array, offset: number, what: string): string {
  const end = bytes.indexOf(0, offset);
  if (offset >= bytes.length || end < 0) throw corrupt(`Cannot read ${what}: a text reaches past the end`, { offset });
  return byteString(bytes, offset, end);
}
