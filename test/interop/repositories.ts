/**
 * Repositories made here under composefs-rs' cfsctl, and its own under ours, with the images of test/vectors/repo. Prints the
 * rows of RESULTS.md. Not part of `./just test`, since the tool is not everywhere.
 *
 *     node test/interop/repositories.ts CFSCTL [secure] [CASE…]
 *
 * With `secure` every object has fs-verity, which the file system of TMPDIR must have: secure-repositories.ts runs that in
 * a guest. CASE is the number of a vector, such as 05.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import type { VerityAlgorithm } from "../../src/verity/index.ts";
import { run } from "../cli/run-verb.ts";
import { readVectors, type Vector } from "../imagestore/vectors.ts";
import { runProgram, Tally, type ToolRun } from "./tally.ts";

const [cfsctl, ...rest] = process.argv.slice(2);
if (cfsctl === undefined) throw new Error("Usage: node test/interop/repositories.ts CFSCTL [secure] [CASE...]");
const tool = cfsctl;
const isSecure = rest[0] === "secure";
const chosen = isSecure ? rest.slice(1) : rest;
const ALGORITHMS = ["sha256", "sha512"] as const;
/** The one whose image is an artifact: it has no root file system. */
const ARTIFACT = "11-artifact";
/** Bootable images need directories that most cases do not have. */
const BOOTABLE = ["01-simple", "10-boot-selinux", "14-boot-times"];

const tally = new Tally();

/** One image in one pair of repositories. */
interface InteropCase {
  readonly name: string;
  readonly algorithm: VerityAlgorithm;
  readonly version: 1 | 2;
  /** `oci:` and the layout. */
  readonly reference: string;
  readonly scratch: string;
}

function theirsIn(repository: string, ...words: readonly string[]): ToolRun {
  return runProgram(tool, ["--repo", repository, ...words]);
}

async function oursIn(repository: string, ...words: readonly string[]): Promise<ToolRun> {
  const { exitCode, out, err } = await run(...words, "--repo", repository);
  return { exitCode, out: Buffer.from(out, "latin1"), err };
}

function accepted(row: string, { exitCode, out, err }: ToolRun, where: string): void {
  tally.count(row, exitCode === 0, () => `${where}: exit ${exitCode}: ${err}${out}`);
}

function settingsOf({ algorithm, version }: InteropCase): string[] {
  const protection = isSecure ? [] : ["--insecure"];
  return [...protection, "--algorithm", `fsverity-${algorithm}-12`, "--erofs-version", String(version)];
}

/** A repository made here: checked, collected and copied from by cfsctl. */
async function ourRepository(at: InteropCase, where: string): Promise<string> {
  const repo = join(at.scratch, "ours");
  const settings = settingsOf(at);
  accepted("made here: repo init", await oursIn(repo, "repo", "init", ...settings), where);
  const bootable = BOOTABLE.includes(at.name) ? ["--bootable"] : [];
  accepted(
    "pulled here into a new repository",
    await oursIn(repo, "image", "pull", ...bootable, at.reference, "case"),
    where,
  );
  accepted("the same: cfsctl fsck", theirsIn(repo, "fsck"), where);
  const report = JSON.parse(theirsIn(repo, "fsck", "--json").out.toString());
  tally.count("the same: cfsctl fsck --json says ok", report.ok === true, () => where);
  accepted("the same: cfsctl oci fsck", theirsIn(repo, "oci", "fsck"), where);
  const dryRun = theirsIn(repo, "gc", "-n");
  accepted("the same: cfsctl gc -n", dryRun, where);
  const planned = /^Objects: .*$/m.exec(dryRun.out.toString())?.[0];
  const collection = await oursIn(repo, "repo", "gc", "--dry-run");
  const ours = /^Objects: .*$/m.exec(collection.out.toString())?.[0];
  tally.count(
    "the same: cfsctl gc -n and our gc --dry-run find the same garbage",
    planned === ours,
    () => `${where}: ${planned}, ${ours}`,
  );
  const copy = join(at.scratch, "copy");
  theirsIn(copy, "init", ...settings);
  accepted(
    "the same: cfsctl oci copy --from into a new repository",
    theirsIn(copy, "oci", "copy", "case", "--from", repo, "--name", "copied"),
    where,
  );
  accepted("the copy: our repo fsck", await oursIn(copy, "repo", "fsck"), where);
  accepted("the same: cfsctl gc, then our repo fsck", theirsIn(repo, "gc"), where);
  accepted("the same: cfsctl gc, then our repo fsck", await oursIn(repo, "repo", "fsck"), where);
  return repo;
}

/** A repository made by cfsctl: checked, extended and collected here. */
async function theirRepository(at: InteropCase, where: string): Promise<string> {
  const repo = join(at.scratch, "theirs");
  accepted("made by cfsctl init", theirsIn(repo, "init", ...settingsOf(at)), where);
  accepted("pulled by cfsctl into a new repository", theirsIn(repo, "oci", "pull", at.reference, "case"), where);
  accepted("the same: our repo fsck", await oursIn(repo, "repo", "fsck"), where);
  accepted(
    "the same: pulled again here under another name",
    await oursIn(repo, "image", "pull", at.reference, "again"),
    where,
  );
  accepted("the same: cfsctl fsck after that", theirsIn(repo, "fsck"), where);
  accepted("the same: cfsctl oci fsck after that", theirsIn(repo, "oci", "fsck"), where);
  accepted("the same: our gc, then cfsctl fsck", await oursIn(repo, "repo", "gc"), where);
  accepted("the same: our gc, then cfsctl fsck", theirsIn(repo, "fsck"), where);
  return repo;
}

/** What both say about the image, each in the repository that the other made. */
async function compareImages(ours: string, theirs: string, at: InteropCase, where: string): Promise<void> {
  const pairs: readonly (readonly [row: string, theirs: ToolRun, ours: ToolRun])[] = [
    [
      "image ids: cfsctl oci compute-id in our repository, our image compute-id in theirs",
      theirsIn(ours, "oci", "compute-id", "case"),
      await oursIn(theirs, "image", "compute-id", "case"),
    ],
    // Images of version 2 do not hold the nanoseconds that layers have.
    ...(at.version === 1
      ? [
          [
            "dump text, V1: cfsctl oci dump in our repository, our repo dump-files of / in theirs",
            theirsIn(ours, "oci", "dump", "case"),
            await oursIn(theirs, "repo", "dump-files", "case", "/"),
          ] as const,
        ]
      : []),
    ...(BOOTABLE.includes(at.name)
      ? [
          [
            "boot image ids: cfsctl oci compute-id --bootable in our repository, our image compute-id in theirs",
            theirsIn(ours, "oci", "compute-id", "--bootable", "case"),
            await oursIn(theirs, "image", "compute-id", "--bootable", "case"),
          ] as const,
        ]
      : []),
  ];
  for (const [row, first, second] of pairs) {
    const same = first.exitCode === 0 && first.out.equals(second.out);
    tally.count(row, same, () => `${where}: ${first.err}${second.err}`);
  }
}

/** Both list the same images of one repository; the reference's order is that of a hash map. */
async function compareLinked(repo: string, where: string): Promise<void> {
  const inspected = JSON.parse((await oursIn(repo, "image", "inspect", "case")).out.toString());
  const id: string = inspected.composefs_boot_erofs ?? inspected.composefs_erofs;
  const runs = [
    theirsIn(repo, "oci", "linked-erofs-images", id),
    await oursIn(repo, "repo", "linked-erofs-images", id),
  ];
  const [theirs, ours] = runs.map(({ out }) => {
    const images: { id: string; bootable: boolean }[] = JSON.parse(out.toString() || "[]");
    const keyOf = (image: { id: string; bootable: boolean }) => `${image.bootable} ${image.id}`;
    return JSON.stringify(images.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)));
  });
  tally.count(
    "images of one OCI image, made here: cfsctl oci linked-erofs-images, our repo linked-erofs-images",
    theirs === ours && theirs !== "[]",
    () => `${where}: ${theirs} ${ours}`,
  );
}

/** Without gzip(1), which the guest does not have. */
async function unpackArchive(path: string, into: string): Promise<void> {
  await runTool("tar", ["-xf", "-", "-C", into], { input: gunzipSync(readFileSync(path)) });
}

async function runCase(vector: Vector, algorithm: VerityAlgorithm, version: 1 | 2): Promise<void> {
  using scratch = temporaryDirectory({ purpose: "interop" });
  const where = `${vector.name}, ${algorithm}, V${version}`;
  await unpackArchive(join(vector.directory, "layout.tar.gz"), scratch.path);
  const at = {
    name: vector.name,
    algorithm,
    version,
    reference: `oci:${scratch.path}/layout:t`,
    scratch: scratch.path,
  };
  const [ours, theirs] = [await ourRepository(at, where), await theirRepository(at, where)];
  if (vector.name === ARTIFACT) return;
  await compareImages(ours, theirs, at, where);
  await compareLinked(ours, where);
}

/** A repository from before meta.json, upgraded here, then used by cfsctl. */
async function runOldFormat(): Promise<void> {
  using scratch = temporaryDirectory({ purpose: "interop" });
  const vector = new URL("../vectors/repo/40-old-format-repository/", import.meta.url).pathname;
  await unpackArchive(join(vector, "repository.tar.gz"), scratch.path);
  const { stdout } = await runTool("find", [scratch.path, "-name", "objects", "-printf", "%h"]);
  const repo = stdout.toString();
  accepted("an old repository (case 40) upgraded here: our repo fsck", await oursIn(repo, "repo", "fsck"), "40");
  accepted("the same old repository: cfsctl fsck", theirsIn(repo, "fsck"), "40");
}

/** The first thirteen are accepted by everybody; the others are refused, or are variants of these. */
function isChosen({ name }: Vector): boolean {
  const number = name.slice(0, 2);
  return chosen.length > 0 ? chosen.includes(number) : Number(number) <= 13;
}

for (const vector of (await readVectors()).filter(isChosen)) {
  for (const algorithm of ALGORITHMS) for (const version of [1, 2] as const) await runCase(vector, algorithm, version);
}
if (!isSecure) await runOldFormat();
for (const line of tally.lines()) console.log(line);
process.exitCode = tally.allGood ? 0 : 1;
