/** Evidence judged without the system that it is about, link by link as every verification. */
import { ChainDraft, judgePolicy, stateOf, type VerifyReport } from "../verify/index.ts";
import { checkDisk } from "./check-disk.ts";
import { checkImages } from "./check-images.ts";
import { checkKeys } from "./check-keys.ts";
import { checkPrograms } from "./check-programs.ts";
import { checkQuote } from "./check-quote.ts";
import { checkSource } from "./check-source.ts";
import { checkStatement } from "./check-statement.ts";
import { compareEvidence } from "./compare.ts";
import type { Evidence } from "./evidence.ts";
import type { EvidenceOptions } from "./options.ts";

/** @param path names the evidence */
export async function checkEvidence(path: string, evidence: Evidence, options: EvidenceOptions): Promise<VerifyReport> {
  const chain = new ChainDraft();
  // Read first, as it vouches for what the other links say; told last.
  const last = new ChainDraft();
  const word = checkQuote(last, evidence, options);
  checkStatement(chain, evidence, word);
  checkSource(chain, evidence);
  checkDisk(chain, evidence, word);
  const keys = await checkKeys(chain, evidence, options.keys);
  const { chains, programs } = await checkPrograms(chain, evidence, keys, word);
  checkImages(chain, evidence, word);
  const hasFilesWithoutVerity = evidence.links.some(
    ({ name, state }) => state === "weaker" && (name === "image" || name === "objects"),
  );
  await judgePolicy(chain, options.policy, chains, programs, hasFilesWithoutVerity);
  if (options.atHand !== undefined) compareEvidence(chain, evidence, options.atHand);
  const links = [...chain.finish(), ...last.finish()];
  return {
    ...{ target: path, kind: "evidence", state: stateOf(links), links },
    ...{ unsigned: [], foreign: [], hashed: { objects: 0, bytes: 0 } },
  };
}
