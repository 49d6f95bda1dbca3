/**
 * The variable store of OVMF: a firmware volume holding an authenticated variable store (edk2: PiFirmwareVolume.h,
 * VariableFormat.h; spec/boot-chain.md C). All sizes come from the file's headers.
 */
import { alignUp, ByteCursor, ByteWriter } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { EFI_TIME_BYTES, efiTimeOf } from "./efi-time.ts";
import { GUID_BYTES, guidBytes, guidOf, guidText } from "./guid.ts";
import { type EfiVariable, utf16Bytes, utf16Text, VariableAttribute } from "./variable.ts";

/** A variable in the store; the time stamp is for authenticated ones. */
export interface StoredVariable extends EfiVariable {
  readonly timestamp?: Date;
}

/** EFI_FIRMWARE_VOLUME_HEADER: GUID, u64 length, "_FVH", u32 attributes, u16 header length, u16 checksum. */
const VOLUME_GUID_OFFSET = 0x10;
const VOLUME_HEADER_LENGTH_OFFSET = 0x30;
/** EFI_SYSTEM_NV_DATA_FV_GUID. */
const NV_DATA_VOLUME_GUID = guidOf("fff12b8d-7696-4c8b-a985-2747075b4f50");
const VOLUME_SIGNATURE = 0x4856465f;

/** VARIABLE_STORE_HEADER: GUID, u32 size, u8 format, u8 state, 6 reserved bytes. */
const STORE_HEADER_BYTES = 28;
/** EFI_AUTHENTICATED_VARIABLE_GUID. */
const AUTHENTICATED_STORE_GUID = guidOf("aaf32c78-947b-439a-a180-2e144ec37792");
const STORE_FORMATTED = 0x5a;
const STORE_HEALTHY = 0xfe;

/** AUTHENTICATED_VARIABLE_HEADER, always on a 4-byte boundary. */
const VARIABLE_ALIGNMENT = 4;
const VARIABLE_START = 0x55aa;
const VARIABLE_HEADER_BYTES = 60;
/** VAR_ADDED, and the same with VAR_IN_DELETED_TRANSITION: still valid until its successor is written. */
const STATE_ADDED = 0x3f;
const STATE_IN_DELETED_TRANSITION = 0x3e;
/** Flash that was never written. */
const ERASED_BYTE = 0xff;
const ERASED_U16 = 0xffff;

interface StoreRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The valid variables of a store, in their order.
 * @param bytes a whole variable store file such as OVMF_VARS_4M.fd
 * @throws SealrootError `corrupt`, or `unsupported` for another kind of store
 */
export function readVariableStore(bytes: Uint8Array): readonly EfiVariable[] {
  return walkStore(bytes, findStore(bytes)).variables;
}

/**
 * Appends variables, as the firmware itself would.
 *
 * @param template a store to start from, usually the blank one that comes with OVMF; it is not changed
 * @returns the new store, of the same length
 * @throws SealrootError `no-space` when they do not fit, `conflict` when one exists already
 */
export function addVariables(template: Uint8Array, variables: readonly StoredVariable[]): Uint8Array {
  const range = findStore(template);
  const { variables: existing, end } = walkStore(template, range);
  const present = new Set(existing.map(fullName));
  const writer = new ByteWriter();
  for (const variable of variables) {
    if (present.has(fullName(variable))) {
      throw new SealrootError("conflict", `Cannot add EFI variable ${fullName(variable)}: the store already has it`);
    }
    present.add(fullName(variable));
    writer.bytes(encodeVariable(variable));
  }
  const added = writer.finish();
  if (end + added.length > range.end) {
    throw new SealrootError(
      "no-space",
      `Cannot add EFI variables: ${added.length} bytes wanted, ${range.end - end} free in the store`,
    );
  }
  const store = Uint8Array.from(template);
  store.set(added, end);
  return store;
}

/**
 * The store as it is before anything is written: for firmware whose blank file has no store at all (AAVMF).
 *
 * @param template a store with whatever variables; it is not changed
 */
export function eraseVariables(template: Uint8Array): Uint8Array {
  const { start, end } = findStore(template);
  return Uint8Array.from(template).fill(ERASED_BYTE, start, end);
}

function fullName(variable: EfiVariable): string {
  return `${variable.name}-${variable.vendor}`;
}

function encodeVariable(variable: StoredVariable): Uint8Array {
  const name = utf16Bytes(variable.name);
  const isAuthenticated = (variable.attributes & VariableAttribute.timeBasedAuthenticatedWriteAccess) !== 0;
  const writer = new ByteWriter();
  writer.u16(VARIABLE_START).u8(STATE_ADDED).u8(0).u32(variable.attributes);
  // Monotonic count and public key index belong to the retired count-based authentication.
  writer.u64(0);
  if (isAuthenticated) {
    if (variable.timestamp === undefined) {
      throw new SealrootError("usage", `Cannot add EFI variable ${variable.name}: it needs a time stamp`);
    }
    writer.bytes(efiTimeOf(variable.timestamp));
  } else {
    writer.zeros(EFI_TIME_BYTES);
  }
  writer.u32(0).u32(name.length).u32(variable.data.length).bytes(guidBytes(variable.vendor));
  writer.bytes(name).bytes(variable.data);
  while (writer.offset % VARIABLE_ALIGNMENT !== 0) writer.u8(ERASED_BYTE);
  return writer.finish();
}

/** Checks both headers; returns where variables may be. */
function findStore(bytes: Uint8Array): StoreRange {
  const cursor = new ByteCursor(bytes, "EFI variable store", VOLUME_GUID_OFFSET);
  const volumeGuid = guidText(cursor.take(GUID_BYTES));
  const volumeBytes = cursor.size();
  const signature = cursor.u32();
  cursor.offset = VOLUME_HEADER_LENGTH_OFFSET;
  const headerBytes = cursor.u16();
  if (volumeGuid !== NV_DATA_VOLUME_GUID || signature !== VOLUME_SIGNATURE || volumeBytes > bytes.length) {
    throw corrupt(`Cannot parse EFI variable store: volume ${volumeGuid} of ${volumeBytes} bytes in ${bytes.length}`, {
      expected: `volume ${NV_DATA_VOLUME_GUID}`,
      actual: volumeGuid,
    });
  }
  checkVolumeSum(bytes, headerBytes);
  cursor.offset = headerBytes;
  const storeGuid = guidText(cursor.take(GUID_BYTES));
  const storeBytes = cursor.u32();
  const format = cursor.u8();
  const state = cursor.u8();
  if (storeGuid !== AUTHENTICATED_STORE_GUID) {
    throw new SealrootError("unsupported", `Cannot use EFI variable store: it is of kind ${storeGuid}`, {
      expected: `${AUTHENTICATED_STORE_GUID} (authenticated variables)`,
      actual: storeGuid,
    });
  }
  const end = headerBytes + storeBytes;
  if (format !== STORE_FORMATTED || state !== STORE_HEALTHY || storeBytes < STORE_HEADER_BYTES || end > volumeBytes) {
    throw corrupt(
      `Cannot parse EFI variable store: format 0x${format.toString(16)}, state 0x${state.toString(16)}, ${storeBytes} bytes`,
      { offset: headerBytes },
    );
  }
  return { start: headerBytes + STORE_HEADER_BYTES, end };
}

/** The header's 16-bit words add up to zero (UEFI Platform Initialization 1.8, volume 3, 3.2.1.1). */
function checkVolumeSum(bytes: Uint8Array, headerBytes: number): void {
  const cursor = new ByteCursor(bytes, "EFI variable store");
  let sum = 0;
  while (cursor.offset < headerBytes) sum = (sum + cursor.u16()) & 0xffff;
  if (sum !== 0) throw corrupt("Cannot parse EFI variable store: wrong checksum of the volume header");
}

/** The valid variables, and the first free byte after all records. */
function walkStore(
  bytes: Uint8Array,
  range: StoreRange,
): { readonly variables: readonly EfiVariable[]; readonly end: number } {
  const cursor = new ByteCursor(bytes.subarray(0, range.end), "EFI variable store", range.start);
  const added = new Map<string, EfiVariable>();
  const inTransition = new Map<string, EfiVariable>();
  while (cursor.remaining >= VARIABLE_HEADER_BYTES) {
    const start = cursor.offset;
    const startMark = cursor.u16();
    if (startMark === ERASED_U16) {
      cursor.offset = start;
      break;
    }
    if (startMark !== VARIABLE_START) {
      throw corrupt(`Cannot parse EFI variable store: no variable at offset ${start}`, { offset: start });
    }
    const state = cursor.u8();
    cursor.skip(1);
    const attributes = cursor.u32();
    cursor.skip(8 + EFI_TIME_BYTES + 4);
    const nameBytes = cursor.u32();
    const dataBytes = cursor.u32();
    const vendor = guidText(cursor.take(GUID_BYTES));
    const name = cursor.take(nameBytes);
    const data = cursor.take(dataBytes);
    cursor.offset = Math.min(alignUp(cursor.offset, VARIABLE_ALIGNMENT), range.end);
    if (state !== STATE_ADDED && state !== STATE_IN_DELETED_TRANSITION) continue;
    const variable = { name: utf16Text(name), vendor, attributes, data };
    (state === STATE_ADDED ? added : inTransition).set(fullName(variable), variable);
  }
  const variables = new Map([...inTransition, ...added]);
  return { variables: [...variables.values()], end: cursor.offset };
}
