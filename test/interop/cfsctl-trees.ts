/**
 * Random trees, made as directories, under composefs-rs' cfsctl and ours: the ids of images and the dump text must be the
 * same, and the images made here must read there as the trees they were made of. Needs root, and files on a file system
 * that takes every time and attribute (tmpfs). Not part of `./just test`, since the tool is not everywhere.
 *
 * cfsctl before 0.9.3 gives /boot and /sysroot only the seconds of /usr: RULE is then `seconds`.
 *
 *     TMPDIR=/dev/shm node test/interop/cfsctl-trees.ts CFSCTL [COMPOSEFS-INFO|-] [TREES] [SEED] [RULE]
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { ByteString } from "../../src/bytes/index.ts";
import { writeErofs } from "../../src/erofs/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import {
  type DirectoryTreeOptions,
  directoryTree,
  extractTree,
  imageIdOfTree,
  initRepository,
  type Repository,
  storeTreeImage,
} from "../../src/repository/index.ts";
import {
  cloneTree,
  type DirectoryNode,
  type DumpPart,
  dumpPartLines,
  formatDump,
  hardLinkCounts,
  parseDump,
  sortedNames,
  walkTree,
} from "../../src/tree/index.ts";
import type { VerityAlgorithm } from "../../src/verity/index.ts";
import { randomTree } from "../tree/random-tree.ts";
import { makeReal, systemTimes, withSystemDirectories } from "./real-tree.ts";
import { runProgram, Tally } from "./tally.ts";

const [cfsctl, composefsInfo = "-", trees = "500", seed = "1", rule = "full"] = process.argv.slice(2);
if (cfsctl === undefined || (rule !== "full" && rule !== "seconds"))
  throw new Error("Usage: node test/interop/cfsctl-trees.ts CFSCTL [COMPOSEFS-INFO|-] [TREES] [SEED] [full|seconds]");
const tool = cfsctl;
const VERSIONS = [0, 1, 2] as const;
const ALGORITHMS = ["sha256", "sha512"] as const;
/** How a directory becomes a tree: cfsctl's words and ours. */
const VARIANTS: readonly (readonly [name: string, words: readonly string[], options: Partial<DirectoryTreeOptions>])[] =
  [
    ["as it is", ["--no-propagate-usr-to-root"], { transform: false }],
    ["as of layers", [], {}],
    ["as of layers, user attributes kept", ["--xattrs", "keep-user-xattrs"], { keepUserXattrs: true }],
    ["bootable", ["--bootable"], { bootable: true, bootTimes: rule }],
  ];

const tally = new Tally();
let treesThatDiffer = 0;

/** Compares scans of the directory in all variants, versions and hashes. */
async function compareScans(path: string, where: string): Promise<void> {
  for (const [variant, words, options] of VARIANTS) {
    for (const algorithm of ALGORITHMS) {
      const root = await directoryTree(path, { algorithm, ...options });
      if (algorithm === "sha512") {
        const theirs = runProgram(tool, ["--no-repo", "--hash", algorithm, "create-dumpfile", ...words, path]);
        tally.count(
          `dump text of a directory, ${variant}: cfsctl create-dumpfile`,
          theirs.out.equals(formatDump(root)),
          () => where,
        );
      }
      for (const version of VERSIONS) compareId(path, { variant, words, algorithm, version, root }, where);
    }
  }
}

/** Shows that the trees put the rule for the times of /boot and /sysroot to the test. */
async function countDifferentRules(path: string): Promise<void> {
  const idOf = async (bootTimes: "full" | "seconds") => {
    const root = await directoryTree(path, { algorithm: "sha256", bootable: true, bootTimes });
    return imageIdOfTree(root, "sha256", 1);
  };
  if ((await idOf("full")) !== (await idOf("seconds"))) treesThatDiffer++;
}

interface IdCase {
  readonly variant: string;
  readonly words: readonly string[];
  readonly algorithm: VerityAlgorithm;
  readonly version: (typeof VERSIONS)[number];
  readonly root: DirectoryNode;
}

function compareId(path: string, { variant, words, algorithm, version, root }: IdCase, where: string): void {
  const global = ["--no-repo", "--hash", algorithm, "--erofs-version", String(version)];
  const theirs = runProgram(tool, [...global, "compute-id", ...words, path]);
  const ours = imageIdOfTree(root, algorithm, version);
  const row = `image id of a directory, ${variant}, V0 to V2, SHA-256 and SHA-512: cfsctl compute-id`;
  tally.count(row, theirs.out.toString().trim() === ours, () => `${where}, ${algorithm}, V${version}: ${theirs.err}`);
}

/** Has images made here dumped by the reference tools. */
function compareReading(repository: Repository, tree: DirectoryNode, scratch: string, where: string): void {
  for (const version of VERSIONS) {
    const readable = readableByCfsctl(tree, version);
    const image = repository.listImage(storeTreeImage(repository, readable, version), "tree");
    const parts = topLevelParts(readable);
    const expected = parts.flatMap((part) => [...dumpPartLines(part, hardLinkCounts(readable))]).join("");
    const theirs = runProgram(tool, [
      "--repo",
      repository.path,
      "dump-files",
      image.objectId,
      ...parts.map(({ path }) => path),
    ]);
    const row = "an image made here, V0 to V2: cfsctl dump-files of all top-level names that are ASCII";
    tally.count(row, theirs.out.toString("latin1") === expected, () => `${where}, V${version}: ${theirs.err}`);
  }
  // The C reader keeps the marks of directories that hold whiteouts.
  const holdsWhiteouts = [...walkTree(tree)].some(({ node }) => node.kind === "character-device" && node.rdev === 0);
  if (composefsInfo === "-" || holdsWhiteouts) return;
  const file = join(scratch, "image.erofs");
  writeFileSync(file, writeErofs(tree, { form: "v1", algorithm: repository.algorithm }));
  const theirs = runProgram(composefsInfo, ["dump", file]);
  // It writes directories' sizes and hard links in its own way: what counts is the tree.
  const same = Buffer.from(formatDump(parseDump(theirs.out, { allowNegativeTimes: true }))).equals(formatDump(tree));
  tally.count(
    "an image made here of a tree without whiteouts, V1: the tree that composefs-info dump prints",
    same,
    () => `${where}: ${theirs.err}`,
  );
}

/**
 * The tree without what version 2 does not hold (nanoseconds) and what cfsctl 0.9.4 loses when it reads an image back, its
 * own too: attributes of nested overlays, and whiteouts in the root that are called as the stubs of version 1.
 */
function readableByCfsctl(tree: DirectoryNode, version: (typeof VERSIONS)[number]): DirectoryNode {
  const copy = cloneTree(tree);
  for (const { node, parent, name } of walkTree(copy)) {
    node.metadata.xattrs = new Map(
      [...node.metadata.xattrs].filter(([xattr]) => !xattr.startsWith("trusted.overlay.")),
    );
    if (version === 2) node.metadata.mtimeNanoseconds = 0;
    const isWhiteout = node.kind === "character-device" && node.rdev === 0;
    if (parent === copy && isWhiteout && /^[0-9a-f]{2}$/i.test(name)) copy.entries.delete(name);
  }
  return copy;
}

/** What the root holds under names that can be given on a command line. */
function topLevelParts(tree: DirectoryNode): DumpPart[] {
  const names = sortedNames(tree).filter((name) => /^[!-~]+$/.test(name));
  return names.flatMap((name) => {
    const node = tree.entries.get(name);
    return node === undefined ? [] : [{ path: `/${name}` as ByteString, node }];
  });
}

using scratch = temporaryDirectory({ purpose: "interop" });
{
  using repository = (await initRepository(join(scratch.path, "repo"), { algorithm: "sha256", protection: "insecure" }))
    .repository;
  const samples = fc.sample(fc.tuple(randomTree, systemTimes), { numRuns: Number(trees), seed: Number(seed) });
  for (const [index, [random, times]] of samples.entries()) {
    const tree = withSystemDirectories(makeReal(random, repository), times);
    const where = `tree ${index} of seed ${seed}`;
    using directory = temporaryDirectory({ parent: scratch.path, purpose: "tree" });
    const path = join(directory.path, "root");
    await extractTree(repository, tree, path, { sameOwner: true, xattrs: true });
    const scanned = await directoryTree(path, { algorithm: "sha256", transform: false });
    const same = Buffer.from(formatDump(scanned)).equals(formatDump(tree));
    tally.count("a tree extracted and scanned again: our repo extract, create-dumpfile", same, () => where);
    await compareScans(path, where);
    await countDifferentRules(path);
    compareReading(repository, tree, directory.path, where);
  }
}
for (const line of tally.lines()) console.log(line);
console.log(`${treesThatDiffer} of ${trees} trees have another boot image by the other rule`);
process.exitCode = tally.allGood ? 0 : 1;
