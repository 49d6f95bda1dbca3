/** What firmware and systemd-stub measure of programs and their arguments: PCR 4 and 12. */
import { type PcrBank, PcrRegister } from "./register.ts";

/** The registers of a measured boot (TCG PC Client Platform Firmware Profile 1.06, 3.3.4; systemd-stub(7)). */
export const PCR = { programs: 4, secureBoot: 7, uki: 11, arguments: 12 } as const;

/** EV_EFI_ACTION before the first boot option (Firmware Profile 1.06, 10.4.4): the text without its NUL. */
const CALLING_APPLICATION = "Calling EFI Application from Boot Option";
/** EV_SEPARATOR: from here on it is no longer the firmware that runs (10.4.1). */
const SEPARATOR = new Uint8Array(4);

/**
 * PCR 4 of a boot whose first boot option starts, by Authenticode digests of the bank's algorithm in the order in which
 * programs are loaded: boot loader, UKI, its add-ons.
 */
export function expectedProgramsPcr(bank: PcrBank, digests: readonly Uint8Array[]): Uint8Array {
  const register = new PcrRegister(bank).measure(Buffer.from(CALLING_APPLICATION)).measure(SEPARATOR);
  for (const digest of digests) register.extend(digest);
  return register.value;
}

/**
 * PCR 12 with these command lines of add-ons and no credentials or extensions; zeros without any. systemd-stub joins the lines
 * and measures them at once (systemd, src/boot/stub.c, cmdline_append_and_measure_addons()), as UTF-16LE with a NUL.
 *
 * @param lines in the order in which the stub loads add-ons: global ones, then those of the UKI
 */
export function expectedArgumentsPcr(bank: PcrBank, lines: readonly string[]): Uint8Array {
  const register = new PcrRegister(bank);
  const line = stubLine(lines.map(stubLine).join(" "));
  return line === "" ? register.value : register.measure(Buffer.from(`${line}\0`, "utf16le")).value;
}

/** As the stub tidies a command line: control characters become spaces, and none are left at either end. */
function stubLine(text: string): string {
  const upToNul = text.split("\0", 1)[0] ?? "";
  const spaced = Array.from(upToNul, (character) => (character < " " ? " " : character)).join("");
  let [begin, end] = [0, spaced.length];
  while (begin < end && spaced[begin] === " ") begin++;
  while (end > begin && spaced[end - 1] === " ") end--;
  return spaced.slice(begin, end);
}
