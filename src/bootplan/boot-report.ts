/**
 * What each try of a new deployment leaves on the disk, so that a later boot can tell how far it came: a slot for each
 * try, made while there is room for it, and only ever overwritten in place. The boot program runs when a disk may be full.
 *
 * A slot is a hint and never decides what is booted: whoever owns the disk can write it.
 */
import { parseCountedName } from "../bls/boot-counting.ts";

/** The folder of the slots, in the physical root. It exists while a deployment is being tried. */
export const BOOT_SLOTS_PATH = "state/sealroot/boots";
export const BOOT_SLOTS = 8;
/** One block of the file systems we make: it is written whole or not at all. */
export const BOOT_SLOT_BYTES = 4096;

/** How far a boot came: each is overwritten by a later one. */
export type BootStage =
  /** The boot program has the disk. */
  | "initramfs"
  /** The boot program is done: from here on the system in the image boots. */
  | "system"
  /** The boot program refused to go on. */
  | "boot-program-failed"
  /** The system came up, and its health checks or units failed. */
  | "system-failed";

const STAGES: readonly BootStage[] = ["initramfs", "system", "boot-program-failed", "system-failed"];

export interface BootReport {
  readonly stage: BootStage;
  /** The kernel's id of this boot, 32 hex digits, as journalctl --boot takes it. */
  readonly bootId: string;
  /** The entry's file name without counter. */
  readonly entry: string;
  /** Undefined when the command line was refused. */
  readonly deploymentId: string | undefined;
  /** The tries done, this one included. */
  readonly tries: number;
  /** What failed: a message's first line, or what systemd and the checks named. */
  readonly failure?: BootFailure;
}

export interface BootFailure {
  readonly message: string;
  readonly expected?: string;
  readonly actual?: string;
}

/**
 * Entry and tries of a counted boot.
 * @param loaderBootCountPath the EFI variable LoaderBootCountPath
 */
export function countedEntry(loaderBootCountPath: string): Pick<BootReport, "entry" | "tries"> | undefined {
  const { base, count } = parseCountedName(loaderBootCountPath);
  return count && { entry: base.replace(/^.*[\\/]/, ""), tries: count.done };
}

/** The slot of a try, in the folder of the slots. A try beyond the last slot takes that. */
export function bootSlotName(tries: number): string {
  return String(Math.min(Math.max(tries, 1), BOOT_SLOTS));
}

/**
 * Where a refusal is written when there is no disk to write to: an EFI variable of ours for each try, that the system which
 * comes up takes away. Firmware has little room for variables and wears out, so nothing else is written there.
 */
export const BOOT_REPORT_VENDOR = "c7c86398-9a48-4ddd-a1ce-c716853ca53e";

/** Name of the variable of a try. */
export function bootReportVariable(tries: number): string {
  return `SealrootBootReport${bootSlotName(tries)}`;
}

/** A slot that nothing was written to. */
export const EMPTY_BOOT_SLOT = "\n".repeat(BOOT_SLOT_BYTES);

/** The text of a slot, ASCII: as many bytes as characters. What does not fit is cut off the messages. */
export function formatBootReport(report: BootReport): string {
  return formatWithin(report, BOOT_SLOT_BYTES - 1).padEnd(BOOT_SLOT_BYTES, "\n");
}

/** Less than firmware takes for one variable (Linux limits itself to 1024 bytes in some of its own). */
const VARIABLE_BYTES = 1000;

/** The text of a variable. */
export function formatBootReportVariable(report: BootReport): string {
  return formatWithin(report, VARIABLE_BYTES);
}

function formatWithin(report: BootReport, maxCharacters: number): string {
  for (let limit = 1000; ; limit = Math.floor(limit / 2)) {
    const { failure } = report;
    const cut = (text: string | undefined) => text?.slice(0, limit);
    const shortened = failure && {
      message: cut(failure.message),
      expected: cut(failure.expected),
      actual: cut(failure.actual),
    };
    const entry = report.entry.slice(0, limit);
    const text = ascii(JSON.stringify({ ...report, entry, ...(shortened && { failure: shortened }) }));
    if (text.length <= maxCharacters) return text;
  }
}

function ascii(json: string): string {
  return json.replace(/[^\n -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** @returns undefined for a slot that is empty or holds anything else: whatever the disk's owner wrote is no error */
export function parseBootReport(text: string): BootReport | undefined {
  if (text.length > BOOT_SLOT_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { stage, bootId, entry, deploymentId, tries, failure } = value as Record<string, unknown>;
  const known = STAGES.find((one) => one === stage);
  if (known === undefined || typeof bootId !== "string" || typeof entry !== "string") return undefined;
  if (typeof tries !== "number" || !Number.isSafeInteger(tries) || tries < 0) return undefined;
  if (!/^[0-9a-f]{32}$/.test(bootId)) return undefined;
  const id = typeof deploymentId === "string" && /^[0-9a-f]{64,128}$/.test(deploymentId) ? deploymentId : undefined;
  const parsed = parseFailure(failure);
  return {
    stage: known,
    bootId,
    entry: printable(entry),
    deploymentId: id,
    tries,
    ...(parsed && { failure: parsed }),
  };
}

/** A failure as it was recorded; undefined for anything else. */
export function parseFailure(value: unknown): BootFailure | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { message, expected, actual } = value as Record<string, unknown>;
  if (typeof message !== "string") return undefined;
  return {
    message: printable(message),
    ...(typeof expected === "string" && { expected: printable(expected) }),
    ...(typeof actual === "string" && { actual: printable(actual) }),
  };
}

/** It is shown on terminals, and its writer may be anybody. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}
