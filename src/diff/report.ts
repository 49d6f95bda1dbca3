/** What a comparison found, as a value: text, JSON and the page are made of it. */
import type { DifferenceField, ExplainedDifference, RuleName, Stage } from "../compare/index.ts";
import type { ToolChanges } from "../packages/index.ts";
import type { ErofsVersion } from "../repository/index.ts";
import type { BootTimes } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import type { SourceKind } from "./source.ts";

/** One of the two. */
export interface SideReport {
  readonly given: string;
  readonly kind: SourceKind;
  /** What it is made of, such as `3 layers`. */
  readonly remark: string | undefined;
  /** Of its EROFS image, by the rule of the comparison; of what is one, of its bytes. */
  readonly imageId: string | undefined;
  readonly version: ErofsVersion | undefined;
  readonly inodes: number | undefined;
  /** Of all files, each once. */
  readonly contentBytes: number | undefined;
  /** Of a UKI or an id: the images that it names, and by which rule the other side makes each. */
  readonly names: readonly { readonly id: string; readonly madeBy: string | undefined }[];
}

/** The rule by which both digests were computed. */
export interface ComparisonRule {
  readonly stage: Stage;
  readonly version: ErofsVersion;
  readonly algorithm: VerityAlgorithm;
  readonly keepUserXattrs: boolean;
  readonly bootTimes: BootTimes | undefined;
}

export interface ReportedDifference extends ExplainedDifference {
  /** Whose file it is, on the side that has it. */
  readonly package?: string;
}

/** A file of the ESP, which only disks have. It does not count for a digest: firmware and UKI vouch for it. */
export interface EspDifference {
  readonly path: string;
  readonly field: DifferenceField;
  readonly a: string | undefined;
  readonly b: string | undefined;
}

/** The files of a package that differ. */
export interface PackageDifferences {
  readonly name: string;
  readonly differences: number;
  /** Of their contents: on side B more than on side A. */
  readonly addedBytes: number;
}

export interface RuleCount {
  readonly rule: RuleName;
  readonly count: number;
}

export interface DiffReport {
  readonly a: SideReport;
  readonly b: SideReport;
  readonly rule: ComparisonRule;
  /** True: both have one image id, whatever differs that does not count. */
  readonly equal: boolean;
  readonly differences: readonly ReportedDifference[];
  /** The most frequent first. */
  readonly rules: readonly RuleCount[];
  readonly esp: readonly EspDifference[];
  readonly packages: readonly ToolChanges[];
  readonly byPackage: readonly PackageDifferences[];
  /** What should be known about the comparison itself. */
  readonly notes: readonly string[];
}

/** How often each rule is the reason. */
export function countRules(differences: readonly ExplainedDifference[]): RuleCount[] {
  const counts = new Map<RuleName, number>();
  for (const { rule } of differences) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return [...counts]
    .map(([rule, count]) => ({ rule, count }))
    .sort((x, y) => y.count - x.count || (x.rule < y.rule ? -1 : 1));
}
