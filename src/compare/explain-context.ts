/** What an explanation is, and what it is made of. */
import type { ByteString } from "../bytes/index.ts";
import { lookupPath, type TreeNode } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import type { Stage } from "./composition.ts";
import type { Difference } from "./difference.ts";
import type { NameTwins } from "./name-twins.ts";
import type { RuleName } from "./rules.ts";
import type { SideFacts } from "./side-facts.ts";

export interface Explanation {
  readonly rule: RuleName;
  /** What of these two sides made the rule apply: a clause, such as the layer that did it. */
  readonly because?: string;
}

export interface ExplainContext {
  readonly a: SideFacts;
  readonly b: SideFacts;
  readonly algorithm: VerityAlgorithm;
  /** What was done to the trees whose digests are compared. */
  readonly stage: Stage;
  readonly twins: NameTwins;
}

export function isOverlayWhiteout(node: TreeNode | undefined): boolean {
  return node?.kind === "character-device" && node.rdev === 0;
}

/** Adds the layers that what is there came with, but for the lowest: it is what an image begins with. */
export function withLayers(explanation: Explanation, { nodes }: Difference, { a, b }: ExplainContext): Explanation {
  const from = [
    [a, nodes.a],
    [b, nodes.b],
  ] as const;
  const layers = from.flatMap(([{ label, history }, node]) => {
    const layer = node === undefined ? undefined : history?.layerOf(node);
    if (history === undefined || layer === undefined || layer === 0) return [];
    return [`${label}: from ${history.describe(layer)}`];
  });
  return layers.length === 0 ? explanation : { ...explanation, because: layers.join("; ") };
}

/** The node at a path of one side. */
export function nodeAt(facts: SideFacts, path: string): TreeNode | undefined {
  return lookupPath(facts.root, path as ByteString);
}
