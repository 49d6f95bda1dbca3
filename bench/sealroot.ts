/** Our program, as it is measured. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Command } from "./measure.ts";

export const CHECKOUT = join(import.meta.dirname, "..");

/** Another build of it, such as the bundle of a package, by `SEALROOT_BENCH_PROGRAM`. */
export const SEALROOT = process.env.SEALROOT_BENCH_PROGRAM ?? join(CHECKOUT, "bin/sealroot");

export function sealroot(...words: string[]): Command {
  return { program: SEALROOT, args: words };
}

/** The option by which fsck leaves out what cfsctl does not check either. */
export const LIKE_CFSCTL = "--like-cfsctl";

export function hasLikeCfsctl(): boolean {
  return execFileSync(SEALROOT, ["repo", "fsck", "--help"], { encoding: "utf8" }).includes(LIKE_CFSCTL);
}
