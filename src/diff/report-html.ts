/** A report as one page: no script, nothing from elsewhere, every byte that is not ours escaped. */
import { htmlHead, htmlText as text } from "../bytes/index.ts";
import { pathText } from "../compare/index.ts";
import type { DiffReport, EspDifference, ReportedDifference, SideReport } from "./report.ts";
import {
  addedText,
  comparisonText,
  fieldText,
  namesTexts,
  packageTexts,
  plural,
  ruleRows,
  sideText,
  valueText,
  verdictText,
} from "./report-parts.ts";

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #1a7f37; --bad: #b42318; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
code, td, .id { overflow-wrap: anywhere; } code, .id { font-family: ui-monospace, monospace; font-size: .875em; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
.side { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; } .side p { margin: .25rem 0; }
.verdict { border-left: .4rem solid var(--bad); background: var(--soft); padding: .6rem 1rem; margin: 1rem 0; font-weight: 600; }
.verdict.equal { border-color: var(--good); }
.path { background: var(--soft); } .path th { font-weight: 600; } .uncounted { opacity: .65; }
.because { display: block; font-size: .9em; } .count { text-align: right; padding-right: 1rem; }
@media (max-width: 40rem) { .values thead { display: none; } .values tr { display: block; } .values td { display: block; border: 0; padding: .1rem 0; } }
`;

/** In pieces: there may be as many rows as files. */
export function* reportHtml(report: DiffReport): Generator<string, void, undefined> {
  const { a, b, equal, rule, notes, differences } = report;
  yield `${htmlHead(`${a.given} and ${b.given} - sealroot diff`, STYLE)}<h1>Why two digests differ</h1>
<div class="sides">${sideHtml("A", a)}${sideHtml("B", b)}</div>
<p class="verdict${equal ? " equal" : ""}">${text(verdictText(report))}</p>
<p>Compared as ${text(comparisonText(rule))}.</p>
${notes.map((note) => `<p>Note: ${text(note)}.</p>\n`).join("")}`;
  yield* rulesHtml(report);
  yield* differencesHtml(differences);
  yield* espHtml(report.esp);
  yield* packagesHtml(report);
  yield "</body>\n</html>\n";
}

function sideHtml(label: "A" | "B", side: SideReport): string {
  const names = namesTexts(side).map((name) => `<p class="id">names ${text(name)}</p>`);
  return `<section class="side"><p><strong>${label}</strong> <code>${text(side.given)}</code></p>
<p>${text(sideText(side))}</p><p class="id">${text(side.imageId ?? "no image id")}</p>${side.inodes === undefined || names.length > 1 ? names.join("") : ""}</section>`;
}

function* rulesHtml(report: DiffReport): Generator<string, void, undefined> {
  const rows = ruleRows(report);
  if (rows.length === 0) return;
  yield `<h2>The rules</h2>\n<table><thead><tr><th class="count">Differences</th><th>Rule</th><th>What it says, and what to do</th></tr></thead><tbody>\n`;
  for (const { rule, count, title, remedy, counts } of rows) {
    const way = remedy === undefined ? "" : `<span class="because">To mend it: ${text(remedy)}.</span>`;
    yield `<tr${counts ? "" : ' class="uncounted"'}><td class="count">${count}</td><td id="${rule}"><code>${rule}</code></td><td>${text(title)}.${way}</td></tr>\n`;
  }
  yield "</tbody></table>\n";
}

function* differencesHtml(differences: readonly ReportedDifference[]): Generator<string, void, undefined> {
  if (differences.length === 0) return;
  yield `<h2>What differs</h2>\n<table class="values"><thead><tr><th>Field</th><th>A</th><th>B</th><th>Rule</th></tr></thead><tbody>\n`;
  let path: string | undefined;
  for (const difference of differences) {
    if (difference.path !== path) {
      path = difference.path;
      const owner = difference.package === undefined ? "" : ` (package ${text(difference.package)})`;
      yield `<tr class="path"><th colspan="4"><code>${text(pathText(difference.path))}</code>${owner}</th></tr>\n`;
    }
    const { rule, because, counts } = difference;
    const reason = because === undefined ? "" : `<span class="because">${text(because)}</span>`;
    yield `<tr${counts ? "" : ' class="uncounted"'}><td>${text(fieldText(difference))}</td>${valueCells(difference)}<td><a href="#${rule}">${rule}</a>${reason}</td></tr>\n`;
  }
  yield "</tbody></table>\n";
}

function valueCells(difference: ReportedDifference | EspDifference): string {
  return [difference.a, difference.b]
    .map((value) => `<td><code>${text(valueText(difference, value))}</code></td>`)
    .join("");
}

function* espHtml(esp: readonly EspDifference[]): Generator<string, void, undefined> {
  if (esp.length === 0) return;
  yield `<h2>The ESP</h2>\n<p>It is no part of the digest: firmware and UKI vouch for it.</p>\n<table class="values"><thead><tr><th>File</th><th>Field</th><th>A</th><th>B</th></tr></thead><tbody>\n`;
  for (const difference of esp) {
    yield `<tr><td><code>${text(difference.path)}</code></td><td>${difference.field}</td>${valueCells(difference)}</tr>\n`;
  }
  yield "</tbody></table>\n";
}

function* packagesHtml({ packages, byPackage }: DiffReport): Generator<string, void, undefined> {
  const lines = packages.flatMap(packageTexts);
  if (lines.length > 0)
    yield `<h2>Packages</h2>\n<ul>${lines.map((line) => `<li>${text(line)}</li>`).join("\n")}</ul>\n`;
  if (byPackage.length === 0) return;
  yield "<h2>Differences by package</h2>\n<table><tbody>\n";
  for (const { name, differences, addedBytes } of byPackage) {
    yield `<tr><td>${text(name)}</td><td>${plural(differences, "difference", "differences")}</td><td>${addedText(addedBytes)}</td></tr>\n`;
  }
  yield "</tbody></table>\n";
}
