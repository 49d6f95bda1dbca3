/** The reports that the boot program left in variables of the firmware, as it had no disk to write to. */
import { join } from "node:path";
import {
  BOOT_REPORT_VENDOR,
  BOOT_SLOTS,
  type BootReport,
  bootReportVariable,
  parseBootReport,
} from "../../bootplan/index.ts";
import { readVariable, removeVariable } from "../firmware.ts";

/**
 * In the order of their tries. What is not a report is passed over.
 * @param directory efivarfs
 */
export function readReportVariables(directory: string): readonly BootReport[] {
  return names().flatMap((name) => {
    const data = readVariable(name, BOOT_REPORT_VENDOR, directory);
    return (data && parseBootReport(Buffer.from(data).toString("latin1"))) ?? [];
  });
}

/** Gives the room back to the firmware. @throws SealrootError when the firmware refuses */
export async function removeReportVariables(directory: string): Promise<void> {
  for (const name of names()) await removeVariable(join(directory, `${name}-${BOOT_REPORT_VENDOR}`));
}

function names(): string[] {
  return Array.from({ length: BOOT_SLOTS }, (_, index) => bootReportVariable(index + 1));
}
