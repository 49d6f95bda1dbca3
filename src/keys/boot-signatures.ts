/** The signatures of what is installed for booting, against the keys that the machine will enrol from the disk. */
import type { SealedContents } from "../bootimage/index.ts";
import type { StepReporter } from "../events/index.ts";
import { databasesOf, isSigned, type SignatureDatabases, verifyBootProgram } from "./verify-boot-program.ts";

/** What the firmware is asked to start. */
export interface SignedBoot extends Pick<SealedContents, "enrolmentFiles" | "loader" | "loaderPath"> {
  /** Besides the loader, each with its name in errors. */
  readonly programs: readonly { readonly what: string; readonly bytes: Uint8Array }[];
}

/** The UKI and its add-ons, for {@link checkBootSignatures}. */
export function sealedPrograms({ ukiPath, ukiBytes, addons }: SealedContents): SignedBoot["programs"] {
  return [
    { what: `the UKI ${ukiPath}`, bytes: ukiBytes },
    ...addons.map(({ name, bytes }) => ({ what: `the add-on ${name}`, bytes })),
  ];
}

/**
 * Checks boot loader, UKI and add-ons, or the kernel. With enrolment files on the disk, the firmware will start only what their `db`
 * vouches for, so all of them must be signed accordingly. Without, an unsigned program only gives a warning: the
 * machine may run without Secure Boot.
 *
 * @returns whether the boot loader is signed
 * @throws SealrootError as verifyBootProgram, naming the program
 */
export async function checkBootSignatures(boot: SignedBoot, reporter: Pick<StepReporter, "warn">): Promise<boolean> {
  const databases = databasesOf(boot.enrolmentFiles);
  const programs = [{ what: `the boot loader ${boot.loaderPath}`, bytes: boot.loader }, ...boot.programs];
  for (const { what, bytes } of programs) {
    if (databases.length > 0 || isSigned(bytes)) await verifyBootProgram(bytes, what, databases);
    else reporter.warn(`Firmware with Secure Boot will refuse ${what}: it is not signed`);
  }
  return isSigned(boot.loader);
}

/**
 * Checks a program that goes onto the ESP of a machine that runs. Its firmware decides; one that lets anything start gets a
 * warning about a program without signature.
 *
 * @param firmware undefined when it lets start anything
 * @throws SealrootError as verifyBootProgram, naming the program
 */
export async function checkFirmwareSignature(
  bytes: Uint8Array,
  what: string,
  firmware: SignatureDatabases | undefined,
  { warn }: Pick<StepReporter, "warn">,
): Promise<void> {
  if (firmware !== undefined) await verifyBootProgram(bytes, what, [firmware]);
  else if (isSigned(bytes)) await verifyBootProgram(bytes, what, []);
  else warn(`Firmware with Secure Boot will refuse ${what}: it is not signed`);
}
