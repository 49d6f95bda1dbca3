/** The dump text reader, and the image writer on what it accepted. */
import assert from "node:assert/strict";
import { readErofs, writeErofs } from "../../../src/erofs/index.ts";
import { firstTreeDifference, formatDump, parseDump } from "../../../src/tree/index.ts";
import { savedCorpus, vectors } from "../corpus.ts";
import { type FuzzTarget, refusalOfSync } from "../target.ts";

const DIALECTS = ["c", "rs"] as const;
const FORMS = ["v0", "v1", "v2"] as const;

export const dumpTarget: FuzzTarget = {
  name: "dump",
  corpus: () => [
    ...savedCorpus("dump"),
    ...vectors("erofs", /\.dump$/, 16 << 10),
    ...vectors("erofs/reject", /\.dump(\.gz)?$/, 16 << 10),
  ],
  run(input, random) {
    const dialect = random.pick(DIALECTS);
    const parsed = refusalOfSync(() => parseDump(input, { dialect }));
    if ("refusal" in parsed) return false;
    const text = formatDump(parsed.value);
    const again = parseDump(text);
    assert.equal(firstTreeDifference(parsed.value, again), undefined);
    assert.deepEqual(formatDump(again), text);
    const form = random.pick(FORMS);
    const written = refusalOfSync(() => writeErofs(parsed.value, { form, algorithm: "sha256", dialect }));
    // A dump may state link counts that are not true, which the C dialect stores and the reader refuses.
    if ("value" in written && dialect === "rs") assert.equal(readErofs(written.value).version, FORMS.indexOf(form));
    return true;
  },
};
