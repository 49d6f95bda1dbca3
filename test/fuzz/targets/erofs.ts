/** The image reader, for both layouts. */
import assert from "node:assert/strict";
import { type ErofsForm, listErofsObjects, readErofs, writeErofs } from "../../../src/erofs/index.ts";
import { firstTreeDifference, formatDump } from "../../../src/tree/index.ts";
import { savedCorpus, vectors } from "../corpus.ts";
import { type FuzzTarget, refusalOfSync } from "../target.ts";

const FORM_OF_VERSION: readonly ErofsForm[] = ["v0", "v1", "v2"];

/** @param files which vectors to begin with */
function erofsTarget(name: string, files: RegExp): FuzzTarget {
  return {
    name,
    corpus: () => [
      ...savedCorpus(name),
      ...vectors("erofs", files, 64 << 10),
      ...vectors("erofs/badimages", /^b(?:[0-35]\d|4[^35])/, 64 << 10),
    ],
    run(input, random) {
      const read = refusalOfSync(() => readErofs(input));
      if ("refusal" in read) return false;
      const { root, version, algorithm } = read.value;
      assert.ok(listErofsObjects(input).every((id) => /^[0-9a-f]{64,128}$/.test(id)));
      formatDump(root);
      const options = {
        form: FORM_OF_VERSION[version] ?? "v2",
        algorithm: algorithm ?? "sha256",
        dialect: random.pick(["c", "rs"] as const),
      };
      // What a reader takes that no writer makes (padding, order, unused fields) is normal after one turn.
      const written = refusalOfSync(() => writeErofs(root, options));
      if ("refusal" in written) return true;
      const again = readErofs(written.value);
      assert.ok(Buffer.from(writeErofs(again.root, options)).equals(written.value));
      const difference = firstTreeDifference(root, again.root);
      // Version 2 drops nanoseconds, the C dialect replaces users' opaque marks, the other one derives backing paths.
      const mayDiffer = [...(version === 2 ? ["mtime"] : []), options.dialect === "c" ? "xattrs" : "content"];
      const isExpected = difference === undefined || mayDiffer.includes(difference.what);
      assert.ok(isExpected, `${difference?.what} of ${difference?.path}`);
      return true;
    },
  };
}

export const erofsTargets = [
  erofsTarget("erofs-epoch-1", /\.(?:c-default|rs-v1)\.erofs\.gz$/),
  erofsTarget("erofs-epoch-2", /\.rs-v2\.erofs\.gz$/),
];
