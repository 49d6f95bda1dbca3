/** Which fast libraries our program uses on this machine, and how it is told to do without. */
import { execFileSync } from "node:child_process";
import { SEALROOT } from "./sealroot.ts";

/** The same work by Node's own modules alone. */
export const WITHOUT_LIBRARIES = { SEALROOT_PRIMITIVES: "portable" } as const;

export interface Libraries {
  /** What `sealroot --version --verbose` says of each kind of work; empty for a program that knows no library. */
  readonly lines: readonly string[];
  /** Whether a library does any of it, so that there is a difference to measure. */
  readonly used: boolean;
}

export function readLibraries(): Libraries {
  const text = execFileSync(SEALROOT, ["--version", "--verbose"], { encoding: "utf8" });
  const lines = text.split("\n").filter((line) => line.includes(": "));
  return { lines, used: lines.some((line) => !line.includes(": node:")) };
}
