/** Makes tar-diffs, from the description of the format alone: nothing of src/delta is used. */
import { zstdCompressSync } from "node:zlib";

/** An operation as bytes of the unpacked stream. */
export type Operation = Buffer;

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) | 0x80);
  }
};
const operation = (code: number, size: number, data: Uint8Array = Buffer.alloc(0)): Operation =>
  Buffer.concat([Buffer.from([code]), varint(size), data]);

export const emit = (data: string | Uint8Array) => operation(0, Buffer.from(data).length, Buffer.from(data));
export const open = (path: string) => operation(1, Buffer.byteLength(path), Buffer.from(path));
export const copy = (size: number) => operation(2, size);
export const seek = (offset: number) => operation(4, offset);
export const raw = operation;

/** @param wanted what is to come out, as long as what is read of the source */
export function add(source: Uint8Array, wanted: Uint8Array): Operation {
  return operation(3, wanted.length, Buffer.from(wanted.map((byte, index) => byte - (source[index] ?? 0))));
}

export function patch(dictionary: Uint8Array, wanted: Uint8Array): Operation {
  const frame = zstdCompressSync(wanted, { dictionary: Buffer.from(dictionary) });
  return operation(5, frame.length, frame);
}

export function tarDiff(operations: readonly Operation[], version: 1 | 2 = 1): Buffer {
  return Buffer.concat([Buffer.from(`tardf${version}\n\0`), zstdCompressSync(Buffer.concat(operations))]);
}

/** A difference of two contents: what is the same at the same place is copied, the rest is added, or sent as it is. */
export function diffOf(path: string, before: Uint8Array, after: Uint8Array): Operation[] {
  const common = Math.min(before.length, after.length);
  let same = 0;
  while (same < common && before[same] === after[same]) same++;
  const middle = after.subarray(same, common);
  return [
    ...(common > 0 ? [open(path)] : []),
    ...(same > 0 ? [copy(same)] : []),
    ...(middle.length > 0 ? [seek(same), add(before.subarray(same, common), middle)] : []),
    ...(after.length > common ? [emit(after.subarray(common))] : []),
  ];
}
