/** A report as lines. */

import { pathText } from "../compare/index.ts";
import { oneLine } from "../errors/index.ts";
import type { DiffReport, ReportedDifference } from "./report.ts";
import {
  addedText,
  changeText,
  comparisonText,
  fieldText,
  namesTexts,
  packageTexts,
  plural,
  ruleRows,
  sideText,
  verdictText,
} from "./report-parts.ts";

/** One after the other: there may be as many as files. */
export function* reportLines(report: DiffReport): Generator<string, void, undefined> {
  for (const line of linesOf(report)) yield oneLine(line);
}

function* linesOf(report: DiffReport): Generator<string, void, undefined> {
  const { a, b, rule, notes, differences, esp } = report;
  for (const [label, side] of [["A", a] as const, ["B", b] as const]) {
    yield `${label}  ${side.given}: ${sideText(side)}`;
    yield `   ${side.imageId ?? "no image id"}`;
    if (side.inodes === undefined || side.names.length > 1)
      for (const text of namesTexts(side)) yield `   names ${text}`;
  }
  yield `compared as ${comparisonText(rule)}`;
  for (const note of notes) yield `note: ${note}`;
  if (differences.length > 0) yield "";
  yield* differenceLines(differences);
  if (esp.length > 0) {
    yield "";
    yield "ESP (no part of the digest; firmware and UKI vouch for it):";
    for (const difference of esp) yield `  ${difference.path}: ${fieldText(difference)} ${changeText(difference)}`;
  }
  yield* packageLines(report);
  yield "";
  yield verdictText(report);
  for (const { count, rule: name, title, remedy } of ruleRows(report)) {
    yield `  ${String(count).padStart(5)}  ${name}: ${title}`;
    if (remedy !== undefined) yield `         to mend it: ${remedy}`;
  }
}

function* differenceLines(differences: readonly ReportedDifference[]): Generator<string, void, undefined> {
  let path: string | undefined;
  for (const difference of differences) {
    if (difference.path !== path) {
      path = difference.path;
      yield `${pathText(difference.path)}${difference.package === undefined ? "" : `  [${difference.package}]`}`;
    }
    yield `  ${fieldText(difference)}: ${changeText(difference)}  (${difference.rule})`;
    if (difference.because !== undefined) yield `    ${difference.because}`;
  }
}

function* packageLines({ packages, byPackage }: DiffReport): Generator<string, void, undefined> {
  const lines = packages.flatMap(packageTexts);
  if (lines.length + byPackage.length > 0) yield "";
  if (lines.length > 0) yield "packages:";
  for (const line of lines) yield `  ${line}`;
  if (byPackage.length > 0) yield "differences by package:";
  for (const { name, differences, addedBytes } of byPackage) {
    yield `  ${name}: ${plural(differences, "difference", "differences")}, ${addedText(addedBytes)}`;
  }
}
