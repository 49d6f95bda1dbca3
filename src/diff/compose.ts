/** What is done to two trees before they are compared: the same to both, as far as both can be brought. */
import { type Composition, earlierStage, reachableStage, type Stage } from "../compare/index.ts";
import { SealrootError } from "../errors/index.ts";
import { composeBootTree, composePlainTree, DEFAULT_BOOT_RULE, readSelinuxPolicy } from "../tree/index.ts";
import type { DiffOptions } from "./options.ts";
import type { SourceTree } from "./source.ts";

export interface ChosenComposition {
  readonly composition: Composition;
  readonly notes: readonly string[];
}

type NamedTree = { readonly label: "A" | "B"; readonly tree: SourceTree };

/**
 * Of two raw trees, the furthest stage that both reach; beside a composed one, what that one is.
 *
 * @throws SealrootError `unsupported` when a raw tree cannot be brought to where the other one is
 */
export function chooseComposition(a: SourceTree, b: SourceTree, options: DiffOptions): ChosenComposition {
  const sides: readonly NamedTree[] = [
    { label: "A", tree: a },
    { label: "B", tree: b },
  ];
  const composed = sides.find(({ tree }) => tree.composition.stage !== "raw");
  const other = sides.find((side) => side !== composed) as NamedTree;
  if (composed === undefined) return chooseForRaw(sides, options);
  const { composition } = composed.tree;
  const otherStage = other.tree.composition.stage;
  if (otherStage === "raw") return { composition: withOptions(composition, options), notes: [] };
  if (otherStage === composition.stage) return { composition, notes: [] };
  return {
    composition: otherStage === "plain" ? other.tree.composition : composition,
    notes: [`${composed.label} is a ${composition.stage} image, ${other.label} a ${otherStage} image`],
  };
}

function chooseForRaw(sides: readonly NamedTree[], options: DiffOptions): ChosenComposition {
  const notes: string[] = [];
  const wanted: Stage = options.plain === true ? "plain" : "boot";
  const stages = sides.map(({ label, tree }) => {
    const stage = reachableStage(tree.root);
    if (earlierStage(stage, wanted) !== wanted) notes.push(`${label} has no ${missingText(stage)}`);
    const reason = stage === "boot" && wanted === "boot" ? unreadablePolicy(tree) : undefined;
    if (reason === undefined) return stage;
    notes.push(`${label} cannot be labelled by its SELinux policy: ${reason}`);
    return "plain";
  });
  const stage = stages.reduce(earlierStage, wanted);
  if (stage !== wanted) {
    const what = stage === "raw" ? "the trees are compared as they are" : "plain images are compared";
    notes.push(`${what}: everything of them counts`);
  }
  return { composition: withOptions(ofStage(stage), options), notes };
}

function missingText(stage: Stage): string {
  return stage === "raw" ? "/usr, or its /run is not a directory" : "/boot and /sysroot, as a boot image must";
}

function ofStage(stage: Stage): Composition {
  const { keepUserXattrs, bootTimes } = DEFAULT_BOOT_RULE;
  if (stage === "raw") return { stage };
  return stage === "plain" ? { stage, keepUserXattrs } : { stage, keepUserXattrs, bootTimes };
}

function withOptions(composition: Composition, { keepUserXattrs, bootTimes }: DiffOptions): Composition {
  if (composition.stage === "raw") return composition;
  const kept = { ...composition, keepUserXattrs: keepUserXattrs ?? composition.keepUserXattrs };
  return kept.stage === "boot" ? { ...kept, bootTimes: bootTimes ?? kept.bootTimes } : kept;
}

/** Trees of digests alone have no policy that could be read. */
function unreadablePolicy({ root, readContent }: SourceTree): string | undefined {
  try {
    readSelinuxPolicy(root, readContent);
    return undefined;
  } catch (error) {
    if (error instanceof SealrootError) return error.message;
    throw error;
  }
}

/** Does it to one tree; undefined for one that is composed, or stays as it is. */
export function composerOf(
  { root, composition, readContent }: SourceTree,
  chosen: Composition,
): (() => void) | undefined {
  if (composition.stage !== "raw" || chosen.stage === "raw") return undefined;
  if (chosen.stage === "plain") return () => composePlainTree(root, chosen.keepUserXattrs);
  return () => composeBootTree(root, readContent, chosen);
}
