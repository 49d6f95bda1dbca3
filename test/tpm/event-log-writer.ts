/** Event logs as firmware writes them (TCG PC Client Platform Firmware Profile 1.06, 10.2), with digests of SHA-1 and SHA-256. */
import { createHash } from "node:crypto";
import { ByteWriter, mixedEndianUuid } from "../../src/bytes/index.ts";

export interface WrittenEvent {
  readonly register: number;
  readonly type: number;
  readonly data: Uint8Array;
  /** What is measured, where that is not the data. */
  readonly digest?: Uint8Array;
}

const NO_ACTION = 3;
const SEPARATOR = 4;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

export function eventLogBytes(events: readonly WrittenEvent[], banks = [0x0004, 0x000b]): Uint8Array {
  const sizes = new Map([
    [0x0004, 20],
    [0x000b, 32],
    [0x000c, 48],
  ]);
  const spec = new ByteWriter().latin1("Spec ID Event03\0").u32(0).u8(0).u8(2).u8(0).u8(2).u32(banks.length);
  for (const bank of banks) spec.u16(bank).u16(sizes.get(bank) ?? 0);
  spec.u8(0);
  const writer = new ByteWriter().u32(0).u32(NO_ACTION).zeros(20).u32(spec.offset).bytes(spec.finish());
  for (const event of events) {
    writer.u32(event.register).u32(event.type).u32(banks.length);
    for (const bank of banks) {
      writer.u16(bank);
      if (bank === 0x000b) writer.bytes(digestOf(event));
      else writer.zeros(sizes.get(bank) ?? 0);
    }
    writer.u32(event.data.length).bytes(event.data);
  }
  return writer.finish();
}

export function digestOf({ data, digest }: WrittenEvent): Uint8Array {
  return digest ?? sha256(data);
}

export function separator(register: number): WrittenEvent {
  return { register, type: SEPARATOR, data: Buffer.alloc(4) };
}

export function startupLocality(locality: number): WrittenEvent {
  return {
    register: 0,
    type: NO_ACTION,
    data: Buffer.from(`StartupLocality\0${String.fromCharCode(locality)}`),
    digest: Buffer.alloc(32),
  };
}

/** UEFI_VARIABLE_DATA. */
export function measuredVariable(name: string, data: Uint8Array): WrittenEvent {
  const writer = new ByteWriter().zeros(16).u64(name.length).u64(data.length);
  writer.bytes(Buffer.from(name, "utf16le")).bytes(data);
  return { register: 7, type: 0x80000001, data: writer.finish() };
}

/** @param digest Authenticode, SHA-256 */
export function startedProgram(digest: Uint8Array): WrittenEvent {
  return { register: 4, type: 0x80000003, data: Buffer.from("device path"), digest };
}

/** UEFI_GPT_DATA with the fields that are read. */
export function measuredTable(diskGuid: string, partitionGuids: readonly string[]): WrittenEvent {
  const writer = new ByteWriter().zeros(56).bytes(mixedEndianUuid(diskGuid)).zeros(20).u64(partitionGuids.length);
  for (const guid of partitionGuids) writer.zeros(16).bytes(mixedEndianUuid(guid)).zeros(96);
  return { register: 5, type: 0x80000006, data: writer.finish() };
}
