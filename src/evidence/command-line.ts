/** The command line of a program as evidence states it. */
import { CommandLine, type ComposefsArgument, findComposefsArguments } from "../bls/index.ts";
import { withoutPadding } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { EvidenceProgram } from "./evidence.ts";

/** Without the NULs and line breaks that builders leave at the end of the section (systemd, src/boot/stub.c). */
export function lineText({ commandLine }: Pick<EvidenceProgram, "commandLine">): string {
  return Buffer.from(withoutPadding(Buffer.from(commandLine ?? ""))).toString();
}

/** None for a line that contradicts itself, which its link says. */
export function imagesNamedBy(program: Pick<EvidenceProgram, "commandLine">): readonly ComposefsArgument[] {
  try {
    return findComposefsArguments(CommandLine.parse(lineText(program)));
  } catch (error) {
    if (error instanceof SealrootError) return [];
    throw error;
  }
}
