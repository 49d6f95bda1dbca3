/** Our program, as it is measured. */
import { join } from "node:path";
import { makeProgramFolder } from "../scripts/package/program-folder.ts";
import type { Command } from "./measure.ts";

export const CHECKOUT = join(import.meta.dirname, "..");

const GIVEN = process.env.SEALROOT_BENCH_PROGRAM;
const FOLDER = join(CHECKOUT, "build/bench-program");

/** The program as packages have it, in one bundle; or another build of it by `SEALROOT_BENCH_PROGRAM`, such as bin/sealroot. */
export const SEALROOT = GIVEN ?? join(FOLDER, "bin/sealroot");

/** Makes it, of the sources as they are; call before anything is measured. */
export async function makeProgram(): Promise<void> {
  if (GIVEN === undefined) await makeProgramFolder(FOLDER, process.arch === "arm64" ? "arm64" : "amd64");
}

export function sealroot(...words: string[]): Command {
  return { program: SEALROOT, args: words };
}

/** The option by which fsck leaves out what cfsctl does not check either. */
export const LIKE_CFSCTL = "--like-cfsctl";

/** What bin/sealroot tells Node, for those who start it themselves. */
export const NODE_WORDS: readonly string[] = ["--max-semi-space-size=2", "--heap-growing-percent=100"];
