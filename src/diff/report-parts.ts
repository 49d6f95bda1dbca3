/** Parts of a report as text, which the lines and the page share. */
import { formatSize } from "../bytes/index.ts";
import { RULES } from "../compare/index.ts";
import type { PackageChanges, ToolChanges } from "../packages/index.ts";
import type { ComparisonRule, DiffReport, EspDifference, ReportedDifference, SideReport } from "./report.ts";

/** Digests are long; the first digits tell two apart, the JSON form has all of them. */
const DIGEST_SHOWN_DIGITS = 16;
const VALUE_MAX_CHARACTERS = 120;

/** What a side is, in words. */
export function sideText({ kind, remark, inodes, contentBytes }: SideReport): string {
  return [
    kind,
    ...(remark === undefined ? [] : [remark]),
    ...(inodes === undefined ? [] : [`${inodes} ${inodes === 1 ? "inode" : "inodes"}`]),
    ...(contentBytes === undefined ? [] : [`${formatSize(contentBytes)} of files`]),
  ].join(", ");
}

/** By which rule the digests were computed, in words. */
export function comparisonText({ stage, version, algorithm, keepUserXattrs, bootTimes }: ComparisonRule): string {
  const trees = {
    raw: "the trees as they are",
    plain: "the plain image: /run left out",
    boot: "the boot image: /boot, /sysroot and /run left out",
  };
  return [
    trees[stage],
    `version ${version}`,
    algorithm,
    ...(keepUserXattrs ? ["user.* attributes kept"] : []),
    ...(bootTimes === "seconds" ? ["/boot and /sysroot with the seconds of /usr only"] : []),
  ].join(", ");
}

/** `A`: which of its images the other side makes. */
export function namesTexts({ names }: SideReport): string[] {
  return names.map(
    ({ id, madeBy }) => `${id}: ${madeBy === undefined ? "not made of the other side" : `made by ${madeBy}`}`,
  );
}

export function fieldText({ field, xattr }: Pick<ReportedDifference, "field" | "xattr">): string {
  return xattr === undefined ? field : `${field} ${xattrText(xattr)}`;
}

/** Names of attributes are bytes too. */
function xattrText(name: string): string {
  return name.replace(/[^!-~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** A value as it is shown; nothing: it is not there. */
export function valueText({ field }: Pick<ReportedDifference, "field">, value: string | undefined): string {
  if (value === undefined) return "none";
  if (field === "content" && /^[0-9a-f]{64,128}$/.test(value)) return value.slice(0, DIGEST_SHOWN_DIGITS);
  return value.length <= VALUE_MAX_CHARACTERS ? value : `${value.slice(0, VALUE_MAX_CHARACTERS - 1)}…`;
}

export function changeText(difference: ReportedDifference | EspDifference): string {
  return `${valueText(difference, difference.a)} → ${valueText(difference, difference.b)}`;
}

/** The answer in one sentence. */
export function verdictText({ equal, differences, rule, a, b }: DiffReport): string {
  const counted = differences.filter(({ counts }) => counts).length;
  if (equal) return "one digest: nothing that counts differs";
  if (counted > 0) return `two digests: ${plural(counted, "difference counts", "differences count")}`;
  const trees = a.inodes !== undefined && b.inodes !== undefined;
  return trees ? `two digests of one tree, by ${rule.algorithm}` : "two digests";
}

export function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** The rules of a report with their counts; those that count first. */
export function ruleRows(report: DiffReport) {
  return report.rules
    .map(({ rule, count }) => {
      const text: { readonly title: string; readonly remedy?: string } = RULES[rule];
      return { rule, count, title: text.title, remedy: text.remedy, counts: !rule.startsWith("not-counted-") };
    })
    .sort((x, y) => Number(y.counts) - Number(x.counts));
}

/** The changes of one tool's packages, a line each. */
export function packageTexts({ tool, changes }: ToolChanges): string[] {
  if ("unknown" in changes) return [`${tool}: unknown: ${changes.unknown}`];
  const { added, removed, upgraded, downgraded, replaced }: PackageChanges = changes;
  return [
    ...added.map(({ name, version }) => `${tool}: only in B: ${name} ${version}`),
    ...removed.map(({ name, version }) => `${tool}: only in A: ${name} ${version}`),
    ...[...upgraded, ...downgraded, ...replaced].map(({ name, from, to }) => {
      const architectures = from.architecture === to.architecture ? "" : ` (${from.architecture} → ${to.architecture})`;
      return `${tool}: ${name} ${from.version} → ${to.version}${architectures}`;
    }),
  ];
}

/** `+12.00 KiB`. */
export function addedText(bytes: number): string {
  return `${bytes < 0 ? "-" : "+"}${formatSize(Math.abs(bytes))}`;
}
