/** The images that command lines name, each by the digest that the kernel measures it against. */
import type { ChainDraft } from "../verify/index.ts";
import type { QuotedWord } from "./check-quote.ts";
import { imagesNamedBy } from "./command-line.ts";
import type { Evidence } from "./evidence.ts";

export function checkImages(chain: ChainDraft, { images, programs }: Evidence, word: QuotedWord): void {
  const ukis = programs.filter(({ role }) => role === "uki");
  for (const { id, algorithm, rule } of images) {
    const draft = chain.link("image", id);
    if (rule !== null) draft.fact(rule);
    const naming = ukis.filter((uki) =>
      imagesNamedBy(uki).some((named) => named.id === id && named.algorithm === algorithm),
    );
    const [first] = naming;
    if (first === undefined) draft.broken("no command line names it");
    else if (word.booted !== undefined && naming.includes(word.booted)) {
      draft.checkedBy(`${algorithm} fs-verity digest in the command line that was measured`);
    } else {
      draft.checkedBy(`${algorithm} fs-verity digest in the command line of ${first.path}`);
      draft.find("unchecked", "only the evidence says so: that command line was not measured");
    }
  }
}
