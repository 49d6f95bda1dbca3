/** The programs of the boot chain, judged as firmware does by the digests that the evidence states, and their command lines. */
import { createHash } from "node:crypto";
import { CommandLine, checkCommandLine, findComposefsArguments, SEALED_LINE_KEYS } from "../bls/index.ts";
import { fromHex } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { SignedClaim } from "../pe/index.ts";
import {
  type ChainDraft,
  checkProgram,
  type FirmwareKeys,
  type JudgedChain,
  type JudgedProgram,
  type LinkName,
} from "../verify/index.ts";
import type { QuotedWord } from "./check-quote.ts";
import { lineText } from "./command-line.ts";
import { bytesOfBase64, type Evidence, type EvidenceProgram } from "./evidence.ts";
import { phasesText } from "./uki-register.ts";

interface Role {
  readonly link: LinkName;
  readonly what: string;
}

/** Where a program of a role stands in a report, and how it is called. */
export const ROLES: Readonly<Record<EvidenceProgram["role"], Role>> = {
  loader: { link: "loader", what: "the boot loader" },
  uki: { link: "uki", what: "the UKI" },
  "add-on": { link: "add-ons", what: "the add-on" },
  program: { link: "loader", what: "the program" },
};

/** What a policy judges. */
export interface JudgedParts {
  readonly chains: readonly JudgedChain[];
  readonly programs: readonly JudgedProgram[];
}

export async function checkPrograms(
  chain: ChainDraft,
  { programs }: Evidence,
  keys: FirmwareKeys,
  word: QuotedWord,
): Promise<JudgedParts> {
  const chains: JudgedChain[] = [];
  const judged: JudgedProgram[] = [];
  if (programs.length === 0) chain.link("uki", "the UKI").broken("the evidence has no program");
  for (const program of programs) {
    const { role, path } = program;
    const { link, what } = ROLES[role];
    const draft = chain.link(link, path);
    const claim = claimOf(program);
    await checkProgram(draft, claim, what, path, keys);
    draft.fact(`${program.sizeBytes} bytes, sha256 ${program.sha256}`);
    judged.push({ what, path, claim });
    if (role === "uki") {
      const found = await checkLine(chain, program, word);
      if (found !== undefined) chains.push(found);
    }
  }
  return { chains, programs: judged };
}

/** The program as far as its signatures know it. */
function claimOf({ signatures, authenticode }: EvidenceProgram): SignedClaim {
  return {
    signatures: signatures.map(bytesOfBase64),
    digest(algorithm) {
      const digest = authenticode[algorithm];
      if (digest !== undefined) return fromHex(digest);
      throw new SealrootError("corrupt", `Cannot judge the program: the evidence lacks its digest by ${algorithm}`);
    },
  };
}

async function checkLine(
  chain: ChainDraft,
  program: EvidenceProgram,
  { booted, phases }: QuotedWord,
): Promise<JudgedChain | undefined> {
  const { path, commandLine, sections } = program;
  const line = lineText(program);
  const draft = chain.link("command-line", line === "" ? "none" : line);
  if (commandLine === null || sections === null) {
    draft.broken("the evidence lacks it, or the sections of the UKI", { path });
    return undefined;
  }
  const section = sections.find(({ name }) => name === ".cmdline");
  const digest = createHash("sha256").update(commandLine).digest("hex");
  if (section?.sha256 !== digest) {
    draft.broken("it is not what the section of the UKI has", {
      ...{ path, expected: section?.sha256 ?? "no section .cmdline", found: digest },
    });
  }
  if (booted === program) {
    draft.checkedBy(`PCR 11 of the quote, ${phasesText(phases)}`);
  } else {
    draft.find("unchecked", "only the evidence says so: the quote has not measured this UKI", {
      ...{ path, remedy: "give the disk, the image or the UKI itself as TARGET" },
    });
  }
  const images = await draft.attempt(
    () => {
      const found = findComposefsArguments(CommandLine.parse(line));
      checkCommandLine(line, { what: `the command line of the UKI ${path}`, decidedKeys: SEALED_LINE_KEYS });
      return found;
    },
    { path },
  );
  if (images === undefined) return undefined;
  if (images.length === 0) draft.broken("it names no image", { path, expected: "composefs=DIGEST", found: line });
  for (const { id, verityOptional } of images) {
    draft.fact(`it names the image ${id}`);
    if (verityOptional) draft.find("weaker", 'it accepts an image without fs-verity ("?")', { path });
  }
  const acceptsMissingVerity = images.some(({ verityOptional }) => verityOptional);
  return { subject: path, commandLine: CommandLine.parse(line), acceptsMissingVerity };
}
