/** A report as JSON (docs/schema/diff.json). */
import { pathText } from "../compare/index.ts";
import { packageChangesJson } from "../packages/index.ts";
import type { DiffReport, ReportedDifference, SideReport } from "./report.ts";
import { ruleRows } from "./report-parts.ts";

export function reportJson(report: DiffReport): unknown {
  const { a, b, equal, rule, differences, esp, packages, byPackage, notes } = report;
  return {
    equal,
    a: sideJson(a),
    b: sideJson(b),
    comparison: { ...rule, bootTimes: rule.bootTimes ?? null },
    differences: differences.map(differenceJson),
    rules: ruleRows(report).map(({ remedy, ...row }) => ({ ...row, remedy: remedy ?? null })),
    esp: esp.map((difference) => ({ ...difference, a: difference.a ?? null, b: difference.b ?? null })),
    packages: packages.map(({ tool, changes }) => ({
      tool,
      changes: "unknown" in changes ? changes : packageChangesJson(changes),
    })),
    byPackage,
    notes,
  };
}

function sideJson({ given, kind, remark, imageId, version, inodes, contentBytes, names }: SideReport) {
  return {
    ...{ given, kind, remark: remark ?? null, imageId: imageId ?? null, version: version ?? null },
    ...{ inodes: inodes ?? null, contentBytes: contentBytes ?? null },
    names: names.map(({ id, madeBy }) => ({ id, madeBy: madeBy ?? null })),
  };
}

/** Names are bytes: their text, in which other bytes are escapes, tells all of them apart. */
function differenceJson({ path, field, xattr, a, b, counts, rule, because, package: owner }: ReportedDifference) {
  return {
    path: pathText(path),
    field,
    xattr: xattr === undefined ? null : pathText(xattr),
    ...{ a: a ?? null, b: b ?? null, counts, rule, because: because ?? null, package: owner ?? null },
  };
}
