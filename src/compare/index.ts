/**
 * compare: how two trees differ, field by field, and which rule makes each difference count for the digest.
 *
 * Pure: trees and what is known of their layers in, differences out. May import bytes, errors, tree and verity. Knows
 * nothing of where the trees come from: `diff/` reads them.
 * @module
 */
export { type ComparedSide, type CompareRules, compareSides, type ExplainedDifference } from "./compare-sides.ts";
export { type Composition, compositionOf, earlierStage, reachableStage, type Stage } from "./composition.ts";
export type { Difference, DifferenceField } from "./difference.ts";
export { LayerHistory, type UnlistedChange } from "./layer-history.ts";
export { RULES, type Rule, type RuleName } from "./rules.ts";
export { type SideTotals, totalsOf } from "./side-facts.ts";
export { treeDifferences } from "./tree-differences.ts";
export { measure, pathText } from "./values.ts";
