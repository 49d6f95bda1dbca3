/** What the caller demands beyond a whole chain. */
import { type CommandLine, parseKernelArgument } from "../../bls/index.ts";
import { certificateOf, describeCertificate } from "../../cms/index.ts";
import { type SignedClaim, verifyClaim, verifyPe } from "../../pe/index.ts";
import type { ChainProgram, CheckedUki } from "../boot/check-uki.ts";
import type { LinkDraft, LinkParent } from "../report/link.ts";

export interface Policy {
  /** Kernel arguments, as `key` or `key=value`, that every command line must have. */
  readonly kernelArguments: readonly string[];
  /** Certificates in DER, one of which must have signed, or issued who signed, every program. */
  readonly certificates: readonly Uint8Array[];
  /** No command line may accept an image without fs-verity, and no object may be without. */
  readonly forbidMissingVerity: boolean;
}

export const NO_POLICY: Policy = { kernelArguments: [], certificates: [], forbidMissingVerity: false };

/** What was found of each boot entry, or of the one image. */
export interface JudgedChain {
  /** Names the command line in messages. */
  readonly subject: string;
  readonly commandLine: CommandLine;
  readonly acceptsMissingVerity: boolean;
}

/** A program whose signer is judged: whole, or by what its signatures are about. */
export type JudgedProgram = ChainProgram | (Omit<ChainProgram, "bytes"> & { readonly claim: SignedClaim });

/** @param subject names the command line in messages */
export function judgedChain(subject: string, { commandLine, composefsArguments }: CheckedUki): JudgedChain {
  const acceptsMissingVerity = composefsArguments.some(({ verityOptional }) => verityOptional);
  return { subject, commandLine, acceptsMissingVerity };
}

/** Adds a link, if anything is demanded. */
export async function judgePolicy(
  parent: LinkParent,
  policy: Policy,
  chains: readonly JudgedChain[],
  programs: readonly JudgedProgram[],
  hasFilesWithoutVerity: boolean,
): Promise<void> {
  const { kernelArguments, certificates, forbidMissingVerity } = policy;
  if (kernelArguments.length === 0 && certificates.length === 0 && !forbidMissingVerity) return;
  const draft = parent.link("policy", "what was demanded");
  for (const wanted of kernelArguments) judgeArgument(draft, wanted, chains);
  if (certificates.length > 0) await judgeSigners(draft, certificates, programs);
  if (forbidMissingVerity) judgeVerity(draft, chains, hasFilesWithoutVerity);
}

function judgeArgument(draft: LinkDraft, wanted: string, chains: readonly JudgedChain[]): void {
  const { key, value } = parseKernelArgument(wanted);
  for (const { subject, commandLine } of chains) {
    const same = commandLine.arguments.filter((argument) => argument.key === key);
    // The last one counts for most readers; one that says otherwise before it is none of our business.
    const last = same.at(-1);
    if (last !== undefined && (value === undefined || last.value === value)) continue;
    draft.broken(`the command line of ${subject} lacks ${wanted}`, {
      path: subject,
      expected: wanted,
      found: last?.text ?? "no such argument",
      remedy: `seal the image with --karg ${wanted}`,
    });
  }
  if (!draft.isBroken) draft.fact(`every command line has ${wanted}`);
}

async function judgeSigners(
  draft: LinkDraft,
  certificates: readonly Uint8Array[],
  programs: readonly JudgedProgram[],
): Promise<void> {
  const names = certificates.map((der) => describeCertificate(certificateOf(der)).subject).join(" or ");
  let count = 0;
  for (const program of programs) {
    const { what, path } = program;
    try {
      if ("bytes" in program) await verifyPe(program.bytes, certificates, what);
      else await verifyClaim(program.claim, certificates, what);
      count++;
    } catch (error) {
      draft.failed(error, "broken", {
        path,
        expected: `a signature by ${names}`,
        remedy: `sign it with the key of ${names}`,
      });
    }
  }
  if (programs.length === 0)
    draft.broken("there is no program whose signer could be judged", { expected: names, found: "none" });
  else if (count === programs.length) draft.fact(`${names} signed all ${count} programs`);
}

function judgeVerity(draft: LinkDraft, chains: readonly JudgedChain[], hasFilesWithoutVerity: boolean): void {
  const remedy = "seal and install without --allow-missing-verity";
  const accepting = chains.filter(({ acceptsMissingVerity }) => acceptsMissingVerity);
  for (const { subject } of accepting) {
    draft.broken(`the command line of ${subject} accepts an image without fs-verity`, {
      ...{ path: subject, expected: "composefs=DIGEST", found: "composefs=?DIGEST", remedy },
    });
  }
  if (hasFilesWithoutVerity) draft.broken("there are files without fs-verity", { remedy });
  else if (accepting.length === 0) draft.fact("nothing may be without fs-verity");
}
