/** SBAT: the section of a program, and the level that it is judged by. */
import assert from "node:assert/strict";
import { parsePe, parseSbatLevel, sbatOf, tooOldFor } from "../../../src/pe/index.ts";
import { peImage } from "../../bootloader/pe-fixture.ts";
import { savedCorpus } from "../corpus.ts";
import { type FuzzTarget, refusalOfSync } from "../target.ts";

const HEADER = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md";

export const sbatTarget: FuzzTarget = {
  name: "sbat",
  corpus: () => [
    Buffer.from(`${HEADER}\nuki,1,UKI,uki,1,https://u\nmine,2,M,m,2,https://m\n\0`),
    Buffer.from("sbat,1,2026113000\nuki,1\nmine,3\n"),
    ...savedCorpus("sbat"),
  ],
  run(input) {
    const section = refusalOfSync(() => sbatOf(parsePe(peImage({ ".sbat": input }))));
    const level = refusalOfSync(() => parseSbatLevel(input, "the input"));
    if ("refusal" in level) return "value" in section;
    // What has just the generations that are wanted is started.
    const latest = level.value.entries.map(({ component, generation }) => ({ component, generation, line: "" }));
    const first = latest.filter(({ component }, at) => latest.findIndex((one) => one.component === component) === at);
    assert.equal(tooOldFor(first, level.value), undefined);
    return true;
  },
};
