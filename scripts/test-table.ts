/**
 * A reporter of Node's test runner (nodejs.org/api/test.html, "Custom reporters") that ends a run with a table: each test,
 * its seconds, its verdict. A suite is one line, with the names of those of its tests that failed below it.
 */
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { textTable } from "../src/verbs/shared/table.ts";

interface Row {
  readonly name: string;
  readonly file: string;
  readonly durationMs: number;
  readonly verdict: string;
  readonly failed: readonly string[];
}

/** Yields the table when the run is over, and nothing before. */
export default async function* testTable(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const rows: Row[] = [];
  /** By file: tests of different files come mixed. */
  const failed = new Map<string, string[]>();
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { name, nesting, file = "", details, skip } = data;
    const below = failed.get(file) ?? [];
    failed.set(file, below);
    if (nesting > 0) {
      if (type === "test:fail") below.push(name);
      continue;
    }
    const verdict = type === "test:fail" ? "FAILED" : skip === undefined ? "passed" : "skipped";
    rows.push({ name, file: relative(process.cwd(), file), durationMs: details.duration_ms, verdict, failed: below });
    failed.delete(file);
  }
  yield `\n${formatTable(rows)}`;
}

function formatTable(rows: readonly Row[]): string {
  const lines = rows.flatMap(({ name, file, durationMs, verdict, failed }) => [
    [`${file}: ${name}`, seconds(durationMs), verdict],
    ...failed.map((test) => [`  ${test}`, "", "FAILED"]),
  ]);
  const count = (verdict: string) => rows.filter((row) => row.verdict === verdict).length;
  const total = seconds(rows.reduce((sum, { durationMs }) => sum + durationMs, 0));
  const verdicts = ["passed", "FAILED", "skipped"].map((verdict) => `${count(verdict)} ${verdict}`).join(", ");
  return `${textTable([["TEST", "SECONDS", "VERDICT"], ...lines, ["all", total, verdicts]], [1]).join("\n")}\n`;
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(1);
}
