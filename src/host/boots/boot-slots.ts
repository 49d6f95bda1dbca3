/** The slots in which the boots of a new deployment leave how far they came (bootplan/boot-report.ts), from the host's side. */
import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  BOOT_SLOT_BYTES,
  BOOT_SLOTS,
  BOOT_SLOTS_PATH,
  type BootReport,
  bootSlotName,
  EMPTY_BOOT_SLOT,
  formatBootReport,
  parseBootReport,
} from "../../bootplan/index.ts";
import { asSealrootError, hasErrno } from "../../errors/index.ts";
import { readBoundedFile, removeTree, syncDirectory } from "../../platform/index.ts";
import type { HostPlaces } from "../host-places.ts";
import { readReportVariables } from "./report-variables.ts";

/** The folder of everything that we keep of a host, below the physical root. */
export const OWN_STATE = "state/sealroot";

/**
 * Makes the slots, empty: whoever stages a deployment that is to be tried calls it, while there is room on the disk. The
 * boots only write over what is there, so a full disk keeps no boot from telling.
 *
 * @param physicalRoot writable
 * @throws SealrootError `no-space`, `read-only` …
 */
export function prepareBootSlots(physicalRoot: string): void {
  const directory = join(physicalRoot, BOOT_SLOTS_PATH);
  try {
    removeTree(directory);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (let slot = 1; slot <= BOOT_SLOTS; slot++) {
      const fd = openSync(join(directory, bootSlotName(slot)), "wx", 0o600);
      try {
        writeFileSync(fd, EMPTY_BOOT_SLOT);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    }
    syncDirectory(directory);
    syncDirectory(join(physicalRoot, OWN_STATE));
  } catch (error) {
    throw asSealrootError(error, "Cannot prepare the record of boots", { path: directory });
  }
}

/** The slots are needed no more: nothing is being tried. */
export function removeBootSlots(physicalRoot: string): void {
  const directory = join(physicalRoot, BOOT_SLOTS_PATH);
  try {
    removeTree(directory);
  } catch (error) {
    throw asSealrootError(error, "Cannot remove the record of boots", { path: directory });
  }
}

/**
 * What the boots left, in the order of their tries: on the disk, and in the firmware where they had no disk. What is not a report is passed over, as anybody may have written it.
 */
export async function readBootReports({
  physicalRoot,
  efiVariables,
}: Pick<HostPlaces, "physicalRoot" | "efiVariables">): Promise<readonly BootReport[]> {
  const reports = efiVariables === undefined ? [] : [...readReportVariables(efiVariables)];
  for (let slot = 1; slot <= BOOT_SLOTS; slot++) {
    const path = join(physicalRoot, BOOT_SLOTS_PATH, bootSlotName(slot));
    if (!isPlainFile(path) || lstatSync(path).size > BOOT_SLOT_BYTES) continue;
    const report = parseBootReport((await readBoundedFile(path, BOOT_SLOT_BYTES)).toString("latin1"));
    if (report !== undefined) reports.push(report);
  }
  return reports.sort((a, b) => a.tries - b.tries);
}

/**
 * Writes over the slot of a try. Durable on return.
 * @returns false when there are no slots
 */
export function writeBootReport(physicalRoot: string, report: BootReport): boolean {
  const path = join(physicalRoot, BOOT_SLOTS_PATH, bootSlotName(report.tries));
  if (!isPlainFile(path)) return false;
  const fd = openSync(path, "r+");
  try {
    writeSync(fd, formatBootReport(report), 0, "latin1");
    fsyncSync(fd);
  } catch (error) {
    throw asSealrootError(error, "Cannot record how the boot went", { path });
  } finally {
    closeSync(fd);
  }
  return true;
}

function isPlainFile(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return false;
    throw asSealrootError(error, "Cannot read how the boots went", { path });
  }
}
