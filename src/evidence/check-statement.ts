/** What evidence says of itself: of what it is, when and by whom it was made, and what was found there. */
import type { ChainDraft, LinkState } from "../verify/index.ts";
import type { QuotedWord } from "./check-quote.ts";
import type { Evidence } from "./evidence.ts";

/** From good to bad. */
const STATES: readonly LinkState[] = ["verified", "unchecked", "weaker", "broken"];

export function checkStatement(
  chain: ChainDraft,
  { target, madeBy, madeAt, verdict, links }: Evidence,
  word: QuotedWord,
) {
  const draft = chain.link("evidence", `of ${target.kind} ${target.name}`);
  if (word.isTrusted) draft.checkedBy("the quote of the TPM");
  draft.fact(`made by ${madeBy} at ${madeAt}`);
  const worst = STATES[Math.max(0, ...links.map(({ state }) => STATES.indexOf(state)))];
  if (links.length === 0) draft.broken("it states no link: nothing was verified");
  else if (worst !== verdict) {
    draft.broken("its verdict is not that of its links", { expected: worst ?? "verified", found: verdict });
  }
  for (const state of STATES) {
    const same = links.filter((link) => link.state === state);
    if (same.length === 0) continue;
    const names = [...new Set(same.map(({ name }) => name))].join(", ");
    draft.fact(`${same.length} ${same.length === 1 ? "link was" : "links were"} ${state}: ${names}`);
  }
  const broken = links.find(({ state }) => state === "broken");
  if (broken !== undefined) draft.broken(`what it is about was broken at ${broken.name} ${broken.subject}`);
  else if (worst === "weaker" || worst === "unchecked") draft.find(worst, `not everything was verified there`);
}
