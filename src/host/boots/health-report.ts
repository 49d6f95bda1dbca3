/** What the health checks of this boot said, in /run: for the record, should the boot be given up. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, hasErrno } from "../../errors/index.ts";
import { writeFileAtomically } from "../../platform/index.ts";

export interface FailedCheck {
  /** Its file name, for people to read. */
  readonly name: string;
  /** Such as `exit code 1: no route to the gateway`. */
  readonly reason: string;
}

const FOLDER = "sealroot";
const FILE = "health.json";

/** @param runDirectory `/run` */
export function writeHealthReport(runDirectory: string, failed: readonly FailedCheck[]): void {
  const path = join(runDirectory, FOLDER, FILE);
  try {
    mkdirSync(join(runDirectory, FOLDER), { recursive: true });
    writeFileAtomically(path, `${JSON.stringify({ failed })}\n`);
  } catch (error) {
    throw asSealrootError(error, "Cannot report the health checks", { path });
  }
}

/** The checks that failed; none when no check was run. */
export function readHealthReport(runDirectory: string): readonly FailedCheck[] {
  try {
    const { failed } = JSON.parse(readFileSync(join(runDirectory, FOLDER, FILE), "utf8"));
    return Array.isArray(failed) ? failed : [];
  } catch (error) {
    if (hasErrno(error, "ENOENT") || error instanceof SyntaxError) return [];
    throw asSealrootError(error, "Cannot read what the health checks reported");
  }
}
