/** What a host remembers between two looks at its clock, in one small file. */
import { readFileSync } from "node:fs";
import { hasErrno } from "../../errors/index.ts";
import { writeFileAtomically } from "../../platform/index.ts";
import type { UpdateRecord } from "./decision.ts";

export const NO_RECORD: UpdateRecord = { lastCheckMs: undefined, failures: 0, heldDeploymentId: undefined };

/**
 * @returns what a host has that never asked, too, for a file that is not ours: it must not stop updates for ever
 * @throws the system's error for a file that cannot be read
 */
export function readUpdateRecord(path: string): UpdateRecord {
  try {
    const { lastCheckMs, failures, heldDeploymentId } = JSON.parse(readFileSync(path, "utf8")) ?? {};
    return {
      lastCheckMs: Number.isSafeInteger(lastCheckMs) && lastCheckMs >= 0 ? lastCheckMs : undefined,
      failures: Number.isSafeInteger(failures) && failures >= 0 ? failures : 0,
      heldDeploymentId: typeof heldDeploymentId === "string" ? heldDeploymentId : undefined,
    };
  } catch (error) {
    if (error instanceof SyntaxError || hasErrno(error, "ENOENT")) return NO_RECORD;
    throw error;
  }
}

/** Its folder exists. */
export function writeUpdateRecord(path: string, record: UpdateRecord): void {
  writeFileAtomically(path, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}
