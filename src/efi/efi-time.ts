/** EFI_TIME as authenticated variables use it: UTC, whole seconds (UEFI 2.10, 8.3 GetTime and 8.2.2). */
import { ByteCursor, ByteWriter } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";

/** The 16 bytes of an EFI_TIME. */
export type EfiTime = Uint8Array;

export const EFI_TIME_BYTES = 16;

/**
 * The EFI_TIME of a moment, its fraction of a second dropped: nanosecond, time zone, daylight and padding must be zero in
 * an authenticated variable (UEFI 2.10, 8.2.2).
 * @throws SealrootError `usage` for a year outside 1900 to 9999, the range of EFI_TIME
 */
export function efiTimeOf(moment: Date): EfiTime {
  const year = moment.getUTCFullYear();
  if (!(year >= 1900 && year <= 9999)) {
    throw new SealrootError("usage", `Cannot write time stamp: ${moment.toString()} is outside the years 1900 to 9999`);
  }
  return new ByteWriter(EFI_TIME_BYTES)
    .u16(year)
    .u8(moment.getUTCMonth() + 1)
    .u8(moment.getUTCDate())
    .u8(moment.getUTCHours())
    .u8(moment.getUTCMinutes())
    .u8(moment.getUTCSeconds())
    .zeros(9)
    .finish();
}

/** @throws SealrootError `corrupt` for a date that does not exist or a field that must be zero */
export function parseEfiTime(bytes: Uint8Array): Date {
  const cursor = new ByteCursor(bytes, "EFI time");
  const [year, month, day] = [cursor.u16(), cursor.u8(), cursor.u8()];
  const [hour, minute, second] = [cursor.u8(), cursor.u8(), cursor.u8()];
  const rest = cursor.take(EFI_TIME_BYTES - cursor.offset);
  const moment = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  // A date that rolls over (31 April) or a field that must be zero shows up as a difference.
  if (year >= 1900 && rest.every((byte) => byte === 0) && Buffer.from(efiTimeOf(moment)).equals(bytes)) return moment;
  throw corrupt(`Cannot read EFI time: ${year}-${month}-${day} ${hour}:${minute}:${second} is not a plain UTC second`);
}
