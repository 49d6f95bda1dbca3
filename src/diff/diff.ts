/** Compares two things that have, or name, an image, and says why their digests differ. */
import {
  type Composition,
  compareSides,
  type ExplainedDifference,
  pathText,
  totalsOf,
  treeDifferences,
} from "../compare/index.ts";
import { SealrootError } from "../errors/index.ts";
import { runStep } from "../events/index.ts";
import { type ErofsVersion, imageIdOfTree } from "../repository/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { chooseComposition, composerOf } from "./compose.ts";
import { findNamedTree, rulesOf, ruleText } from "./find-named.ts";
import { findSource } from "./find-source.ts";
import type { DiffOptions } from "./options.ts";
import { attribute, packageChangesOf } from "./package-report.ts";
import { type ComparisonRule, countRules, type DiffReport, type EspDifference, type SideReport } from "./report.ts";
import { Scratch } from "./scratch.ts";
import type { Source, SourceTree } from "./source.ts";

/**
 * Compares A and B: files, directories, references, or names of a repository. Nothing is changed; what is fetched goes into
 * a temporary repository.
 *
 * @throws SealrootError as findSource, and as reading each source; `unsupported` when the digests of the two are of different
 *   hashes, or one of them names an image whose tree is nowhere
 */
export async function diff(a: string, b: string, options: DiffOptions): Promise<DiffReport> {
  using scratch = new Scratch();
  const [left, right] = [await findSource(a, options, scratch), await findSource(b, options, scratch)];
  const algorithm = commonAlgorithm(left, right);
  if (left.read === undefined && right.read === undefined) return compareNames(left, right, algorithm);
  const [treeA, treeB] = [await left.read?.(algorithm), await right.read?.(algorithm)];
  if (treeA === undefined && treeB !== undefined) {
    return await compareNamed(left, { source: right, tree: treeB }, { options, algorithm, isNamedFirst: true });
  }
  if (treeB === undefined && treeA !== undefined) {
    return await compareNamed(right, { source: left, tree: treeA }, { options, algorithm, isNamedFirst: false });
  }
  const [one, other] = [treeA as SourceTree, treeB as SourceTree];
  return await compareTrees({ source: left, tree: one }, { source: right, tree: other }, { options, algorithm });
}

function commonAlgorithm(a: Source, b: Source): VerityAlgorithm {
  if (a.algorithm === undefined || b.algorithm === undefined || a.algorithm === b.algorithm) {
    return a.algorithm ?? b.algorithm ?? "sha512";
  }
  const what = `the digests of ${a.given} are ${a.algorithm}, those of ${b.given} ${b.algorithm}`;
  throw new SealrootError("unsupported", `Cannot compare them: ${what}`, {
    hint: "compare something with files on one side: a reference or a directory",
  });
}

interface OpenSide {
  readonly source: Source;
  readonly tree: SourceTree;
}

interface CompareContext {
  readonly options: DiffOptions;
  readonly algorithm: VerityAlgorithm;
  /** Instead of what is chosen by the trees. */
  readonly composition?: Composition;
  readonly version?: ErofsVersion;
}

async function compareTrees(a: OpenSide, b: OpenSide, context: CompareContext): Promise<DiffReport> {
  const { options, algorithm } = context;
  const packages = await packageChangesOf(a.tree, b.tree);
  const chosen = chooseComposition(a.tree, b.tree, options);
  const composition = context.composition ?? chosen.composition;
  const version = context.version ?? versionOf(a.tree, b.tree) ?? options.version ?? 1;
  const found = await runStep(options.events, "compare", () => {
    const side = ({ tree }: OpenSide) => ({
      root: tree.root,
      history: tree.history,
      isUnpacked: tree.isUnpacked,
      compose: composerOf(tree, composition),
    });
    return compareSides(side(a), side(b), { composition, version, algorithm });
  });
  const [reportA, reportB] = await runStep(options.events, "compute the image ids", () => {
    const reportedA = sideReport(a, version, algorithm);
    // Trees without a difference that counts have one id.
    const isSame = b.tree.image === undefined && a.tree.image === undefined && !found.some(({ counts }) => counts);
    return [reportedA, sideReport(b, version, algorithm, isSame ? reportedA.imageId : undefined)];
  });
  const { differences, byPackage } = await attribute(found, a.tree, b.tree);
  return {
    ...{ a: reportA, b: reportB, differences, packages, byPackage },
    rule: ruleOf(composition, version, algorithm),
    equal: reportA.imageId === reportB.imageId,
    rules: countRules(differences),
    esp: espDifferences(a.tree, b.tree),
    notes: [...(context.composition === undefined ? chosen.notes : []), ...imageNotes(a.tree, b.tree, found)],
  };
}

/** Of an EROFS image among the two; of images of two versions that which both trees can have: without nanoseconds. */
function versionOf({ image: a }: SourceTree, { image: b }: SourceTree): ErofsVersion | undefined {
  return a?.version === 2 || b?.version === 2 ? 2 : (a?.version ?? b?.version);
}

/** What the trees do not show: images of other versions, or by another writer, differ in every byte. */
function imageNotes(a: SourceTree, b: SourceTree, found: readonly ExplainedDifference[]): string[] {
  const [left, right] = [a.image, b.image];
  if (left !== undefined && right !== undefined && left.version !== right.version) {
    return [`A is an EROFS image of version ${left.version}, B of version ${right.version}: the same tree has two ids`];
  }
  if (left === undefined || right === undefined || left.id === right.id || found.some(({ counts }) => counts))
    return [];
  return ["the trees are the same, and the images are not: they were made by different writers"];
}

function sideReport(
  { source, tree }: OpenSide,
  version: ErofsVersion,
  algorithm: VerityAlgorithm,
  known?: string,
): SideReport {
  const { inodes, contentBytes } = totalsOf(tree.root);
  return {
    ...{ given: source.given, kind: source.kind, remark: tree.remark, inodes, contentBytes },
    imageId: tree.image?.id ?? known ?? imageIdOfTree(tree.root, algorithm, version),
    version: tree.image?.version ?? version,
    names: source.names.map(({ id }) => ({ id, madeBy: undefined })),
  };
}

function ruleOf(composition: Composition, version: ErofsVersion, algorithm: VerityAlgorithm): ComparisonRule {
  return {
    ...{ stage: composition.stage, version, algorithm },
    keepUserXattrs: composition.stage !== "raw" && composition.keepUserXattrs,
    bootTimes: composition.stage === "boot" ? composition.bootTimes : undefined,
  };
}

function espDifferences(a: SourceTree, b: SourceTree): EspDifference[] {
  if (a.esp === undefined && b.esp === undefined) return [];
  if (a.esp === undefined || b.esp === undefined) return [];
  return [...treeDifferences(a.esp, b.esp)].map(({ path, field, a: left, b: right }) => {
    return { path: pathText(path), field, a: left, b: right };
  });
}

/** Two that only name images. */
function compareNames(a: Source, b: Source, algorithm: VerityAlgorithm): DiffReport {
  const side = (source: Source): SideReport => ({
    ...{ given: source.given, kind: source.kind, remark: undefined, version: undefined },
    ...{ imageId: source.names[0]?.id, inodes: undefined, contentBytes: undefined },
    names: source.names.map(({ id }) => ({ id, madeBy: undefined })),
  });
  const equal = a.names.some(({ id }) => b.names.some((other) => other.id === id));
  return {
    ...{ a: side(a), b: side(b), equal, differences: [], rules: [], esp: [], packages: [], byPackage: [] },
    rule: { stage: "boot", version: 1, algorithm, keepUserXattrs: false, bootTimes: "full" },
    notes: equal
      ? []
      : [
          "both only name images: with --repo and a repository that has the images, or with the images themselves, their trees are compared",
        ],
  };
}

interface NamedContext {
  readonly options: DiffOptions;
  readonly algorithm: VerityAlgorithm;
  readonly isNamedFirst: boolean;
}

/**
 * A UKI or an id against a tree: the tree makes the image by some rule, or the tree of the digest is looked for; else
 * nothing can be said but that they differ.
 */
async function compareNamed(named: Source, other: OpenSide, context: NamedContext): Promise<DiffReport> {
  const { options, algorithm, isNamedFirst } = context;
  const made = rulesOf(named.names, other.tree, algorithm);
  const raw = other.tree.composition.stage === "raw";
  const isComplete = named.names.every(({ id }) => made.has(id));
  const found =
    isComplete || !raw ? undefined : await findNamedTree(named.names, other.tree, algorithm, options.events);
  const inOrder = <Side>(first: Side, second: Side) =>
    (isNamedFirst ? [first, second] : [second, first]) as [Side, Side];
  const withNames = (report: DiffReport): DiffReport => {
    const side = isNamedFirst ? "a" : "b";
    const names = named.names.map(({ id }) => {
      const by = made.get(id);
      return { id, madeBy: by && ruleText(by.rule, by.version) };
    });
    return { ...report, [side]: { ...report[side], names } };
  };
  if (found !== undefined) {
    const image = { id: found.id, version: found.version };
    const composition: Composition = { stage: "boot", ...found.rule };
    const tree: SourceTree = {
      ...other.tree,
      root: found.root,
      composition,
      image,
      history: undefined,
      isUnpacked: false,
      remark: found.what,
    };
    const sides = inOrder({ source: named, tree }, other);
    const report = await compareTrees(sides[0], sides[1], { options, algorithm, composition, version: found.version });
    return withNames({ ...report, equal: false });
  }
  const [first] = named.names;
  const match = made.get(first?.id ?? "") ?? [...made.values()][0];
  const version = options.version ?? match?.version ?? (first?.formatVersion === 2 ? 2 : 1);
  const composition = raw
    ? chooseComposition(other.tree, other.tree, { ...options, ...match?.rule }).composition
    : other.tree.composition;
  composerOf(other.tree, composition)?.();
  const namedReport: SideReport = {
    ...{ given: named.given, kind: named.kind, remark: undefined, version: undefined },
    ...{ imageId: first?.id, inodes: undefined, contentBytes: undefined, names: [] },
  };
  const [a, b] = inOrder(namedReport, sideReport(other, version, algorithm));
  return withNames({
    ...{ a, b, equal: isComplete, differences: [], rules: [], esp: [], packages: [], byPackage: [] },
    rule: ruleOf(composition, version, algorithm),
    notes: isComplete ? [] : [unknownTree(named, made.size)],
  });
}

function unknownTree({ names, kind }: Source, madeCount: number): string {
  const what =
    madeCount > 0 && madeCount < names.length
      ? "only some of the images that it names are made of the other side"
      : "no rule makes this image of the other side, nor of what it was before a likely change";
  return `${what}; compare the image that was sealed, its dump file, or with --repo what a repository has of the ${kind === "UKI" ? "UKI's image" : "id"}`;
}
