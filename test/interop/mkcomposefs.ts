/**
 * Random trees under composefs' own mkcomposefs and ours: the images must be the same bytes. Not part of `./just test`, since
 * the tool is not everywhere.
 *
 *     node test/interop/mkcomposefs.ts /usr/bin/mkcomposefs [trees] [seed] [c|rs]
 *
 * With `rs` the tool is cfsctl's applet: a link of that name to cfsctl. It never raises the version by itself, and has rules
 * of its own where the two projects differ (spec/erofs.md 11).
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { type ErofsForm, writeErofs } from "../../src/erofs/index.ts";
import { type DumpDialect, formatDump, parseDump } from "../../src/tree/index.ts";
import { randomTree } from "../tree/random-tree.ts";

const ALL_FORMS: [form: ErofsForm, words: string[]][] = [
  ["c-default", []],
  ["v0", ["--min-version=0", "--max-version=0"]],
  ["v1", ["--min-version=1"]],
];

const [tool, trees = "100", seed = "1", given = "c"] = process.argv.slice(2);
if (tool === undefined) throw new Error("Usage: node test/interop/mkcomposefs.ts MKCOMPOSEFS [TREES] [SEED] [c|rs]");
const dialect: DumpDialect = given === "rs" ? "rs" : "c";
const FORMS = ALL_FORMS.filter(([form]) => dialect === "c" || form !== "c-default");
const scratch = mkdtempSync(join(tmpdir(), "sealroot-interop-"));
const dumpPath = join(scratch, "tree.dump");
const imagePath = join(scratch, "tree.erofs");
const counts = { equal: 0, refusedByTool: 0, different: 0 };

function compare(dump: Uint8Array, form: ErofsForm, words: readonly string[]): keyof typeof counts {
  const { status } = spawnSync(tool ?? "", ["--from-file", ...words, dumpPath, imagePath], { stdio: "pipe" });
  if (status !== 0) return "refusedByTool";
  const ours = writeErofs(parseDump(dump), { form, algorithm: "sha256", dialect });
  return readFileSync(imagePath).equals(ours) ? "equal" : "different";
}

try {
  fc.sample(randomTree, { numRuns: Number(trees), seed: Number(seed) }).forEach((tree, index) => {
    const dump = formatDump(tree);
    writeFileSync(dumpPath, dump);
    for (const [form, words] of FORMS) {
      const outcome = compare(dump, form, words);
      counts[outcome]++;
      if (outcome === "equal") continue;
      const kept = join(tmpdir(), `interop-${seed}-${index}-${form}.dump`);
      writeFileSync(kept, dump);
      console.log(`${outcome}: tree ${index}, ${form}: ${kept}`);
    }
  });
  console.log(counts);
} finally {
  rmSync(scratch, { recursive: true });
}
