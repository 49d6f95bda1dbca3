/** meta.json. */
import assert from "node:assert/strict";
import { formatMeta, parseMeta } from "../../../src/repository/index.ts";
import { savedCorpus } from "../corpus.ts";
import { type FuzzTarget, refusalOfSync } from "../target.ts";

export const metaTarget: FuzzTarget = {
  name: "meta",
  corpus: () => [
    Buffer.from(formatMeta("sha512", { default: 1, extra: [] })),
    Buffer.from(formatMeta("sha256", { default: 2, extra: [0, 1] })),
    ...savedCorpus("meta"),
  ],
  run(input) {
    const parsed = refusalOfSync(() => parseMeta(Buffer.from(input).toString()));
    if ("refusal" in parsed) return false;
    const { algorithm, formats } = parsed.value;
    const again = parseMeta(formatMeta(algorithm, formats));
    assert.deepEqual({ ...again, unknownReadOnlyFeatures: [] }, { algorithm, formats, unknownReadOnlyFeatures: [] });
    return true;
  },
};
