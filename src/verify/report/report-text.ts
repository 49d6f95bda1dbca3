/** A report as lines: the chain as a tree, then what is unsigned, then the verdict. */
import { oneLine } from "../../errors/index.ts";
import type { Link } from "./link.ts";
import { firstBroken, type VerifyReport } from "./report.ts";
import { findingRows, STATE_WORDS, shortDigests, verdictText } from "./report-parts.ts";

/** One after the other: a damaged disk has many. */
export function* reportLines(report: VerifyReport): Generator<string, void, undefined> {
  for (const line of linesOf(report)) yield oneLine(line);
}

const STATE_COLUMNS = 11;

function* linesOf(report: VerifyReport): Generator<string, void, undefined> {
  const { target, kind, links, unsigned, foreign } = report;
  yield `${target}: ${kind}`;
  for (const link of links) yield* linkLines(link, "");
  if (unsigned.length > 0) {
    yield "";
    yield "taken at boot though nobody signed it, and what it can change here:";
    for (const { source, effect } of unsigned) yield `  ${shortDigests(source)}: ${effect}`;
  }
  if (foreign.length > 0) {
    yield "";
    yield "on the ESP, and no part of the chain:";
    for (const { path, note } of foreign) yield `  ${shortDigests(path)}: ${note}`;
  }
  yield "";
  yield verdictText(report);
  const broken = firstBroken(report.links);
  if (broken === undefined) return;
  for (const [name, value] of findingRows(broken.finding)) yield `  ${name}: ${value}`;
}

function* linkLines({ name, subject, state, by, facts, findings, links }: Link, indent: string): Generator<string> {
  yield `${STATE_WORDS[state].padEnd(STATE_COLUMNS)}${indent}${name}  ${shortDigests(subject)}`;
  const below = `${" ".repeat(STATE_COLUMNS)}${indent}  `;
  if (by !== undefined) yield `${below}by ${shortDigests(by)}`;
  for (const fact of facts) yield `${below}${shortDigests(fact)}`;
  for (const finding of findings) {
    yield `${below}${STATE_WORDS[finding.state]}: ${shortDigests(finding.message)}`;
    for (const [field, value] of findingRows(finding)) yield `${below}  ${field}: ${shortDigests(value)}`;
  }
  for (const link of links) yield* linkLines(link, `${indent}  `);
}
