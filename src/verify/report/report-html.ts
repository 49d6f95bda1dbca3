/** A report as one page: the chain drawn; no script, nothing from elsewhere, every byte that is not ours escaped. */
import { htmlHead, htmlText as text } from "../../bytes/index.ts";
import type { Finding, Link, LinkState } from "./link.ts";
import { firstBroken, type VerifyReport } from "./report.ts";
import { findingRows, STATE_WORDS, shortDigests, verdictText } from "./report-parts.ts";

const STYLE = `
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --verified: #1a7f37; --unchecked: #6e7781; --weaker: #9a6700; --broken: #b42318; }
@media (prefers-color-scheme: dark) { :root { --verified: #3fb950; --unchecked: #9198a1; --weaker: #d29922; --broken: #f85149; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
code, dd { font-family: ui-monospace, monospace; font-size: .875em; overflow-wrap: anywhere; }
.verified { --state: var(--verified); } .unchecked { --state: var(--unchecked); } .weaker { --state: var(--weaker); } .broken { --state: var(--broken); }
.verdict { border-left: .4rem solid var(--state); background: var(--soft); padding: .75rem 1rem; margin: 1rem 0; overflow-wrap: anywhere; }
.verdict strong { display: block; }
.map { display: flex; flex-wrap: wrap; gap: .5rem 0; list-style: none; margin: 1.25rem 0; padding: 0; }
.map li { display: flex; align-items: center; }
.map li + li::before { content: ""; width: 1.25rem; border-top: .15rem solid var(--line); }
.map a { border: .15rem solid var(--state); border-radius: 1rem; padding: .1rem .7rem; color: inherit; text-decoration: none; white-space: nowrap; }
.map .broken a { background: var(--broken); color: #fff; }
.map .broken + li ~ li, .map .broken + li { opacity: .55; }
ol.chain, ol.chain ol { list-style: none; margin: 0; padding: 0; }
ol.chain > li { position: relative; padding: 0 0 1rem 2rem; } ol.chain ol > li { position: relative; padding: .75rem 0 0 1.75rem; }
ol.chain > li::before, ol.chain ol > li::before { content: ""; position: absolute; left: .45rem; top: 1.9rem; bottom: -.6rem; border-left: .15rem solid var(--line); }
ol.chain ol > li::before { top: 2.65rem; bottom: -1.35rem; } ol.chain > li:last-child::before, ol.chain ol > li:last-child::before { display: none; }
ol.chain > li::after, ol.chain ol > li::after { content: ""; position: absolute; left: 0; top: .75rem; width: .75rem; height: .75rem; border: .15rem solid var(--state); border-radius: 50%; background: Canvas; }
ol.chain ol > li::after { top: 1.5rem; } ol.chain li.verified::after { background: var(--state); } ol.chain li.broken::after { background: var(--state); border-radius: 0; }
.link { border: 1px solid var(--line); border-radius: .5rem; padding: .4rem .9rem .5rem; } li.broken > .link { border: .15rem solid var(--state); }
.link p { margin: .15rem 0; } .head { display: flex; flex-wrap: wrap; gap: 0 .6rem; align-items: baseline; }
.word { color: var(--state); font-weight: 600; } .by { font-weight: 600; } .fact { opacity: .8; }
.finding { border-left: .2rem solid var(--state); margin: .4rem 0; padding: 0 .75rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .75rem; margin: .1rem 0; } dt { opacity: .7; } dd { margin: 0; align-self: center; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
`;

/** In pieces: a damaged disk has many findings. */
export function* reportHtml(report: VerifyReport): Generator<string, void, undefined> {
  const { target, kind, state, links, unsigned, foreign } = report;
  yield `${htmlHead(`${target} - sealroot verify`, STYLE)}<h1>${text(target)}</h1>
<p>Why this ${text(kind)} is to be trusted, link by link from the keys of the firmware.</p>
${verdictHtml(report, state)}
`;
  yield mapHtml(links);
  yield '<h2>The chain</h2>\n<ol class="chain">\n';
  for (const [index, link] of links.entries()) yield linkHtml(link, `link-${index}`);
  yield "</ol>\n";
  yield tableHtml(
    "Taken at boot though nobody signed it",
    ["From", "What it can change on this system"],
    unsigned.map(({ source, effect }) => [source, effect]),
  );
  yield tableHtml(
    "On the ESP, and no part of the chain",
    ["File", "What it can do"],
    foreign.map(({ path, note }) => [path, note]),
  );
  yield "</body>\n</html>\n";
}

function verdictHtml(report: VerifyReport, state: LinkState): string {
  const broken = firstBroken(report.links);
  const rows = broken === undefined ? "" : rowsHtml(broken.finding, false);
  return `<div class="verdict ${state}"><strong>${text(verdictText(report))}</strong>${rows}</div>`;
}

/** The chain at a glance; of several links of one name the worst is shown. */
function mapHtml(links: readonly Link[]): string {
  const order: string[] = [];
  const shown = new Map<string, { readonly link: Link; readonly id: string }>();
  const rank = (link: Link) => ["verified", "unchecked", "weaker", "broken"].indexOf(link.state);
  const add = (link: Link, id: string): void => {
    const known = shown.get(link.name);
    if (known === undefined) order.push(link.name);
    if (known === undefined || rank(link) > rank(known.link)) shown.set(link.name, { link, id });
  };
  for (const [index, link] of links.entries()) {
    add(link, `link-${index}`);
    for (const [below, child] of link.links.entries()) add(child, `link-${index}-${below}`);
  }
  const items = order.map((name) => {
    const found = shown.get(name);
    return `<li class="${found?.link.state}"><a href="#${found?.id}">${text(name)}</a></li>`;
  });
  return `<ol class="map" aria-label="The chain at a glance">${items.join("")}</ol>\n`;
}

function linkHtml({ name, subject, state, by, facts, findings, links }: Link, id: string): string {
  const below = links.map((link, index) => linkHtml(link, `${id}-${index}`));
  return `<li class="${state}" id="${id}"><div class="link"><p class="head"><strong>${text(name)}</strong><code>${text(shortDigests(subject))}</code><span class="word">${STATE_WORDS[state]}</span></p>
${by === undefined ? "" : `<p class="by">by ${text(shortDigests(by))}</p>\n`}${facts.map((fact) => `<p class="fact">${text(shortDigests(fact))}</p>\n`).join("")}${findings.map(findingHtml).join("")}</div>${below.length === 0 ? "" : `\n<ol>${below.join("")}</ol>`}</li>
`;
}

function findingHtml(finding: Finding): string {
  return `<div class="finding ${finding.state}"><p><span class="word">${STATE_WORDS[finding.state]}</span>: ${text(shortDigests(finding.message))}</p>${rowsHtml(finding, true)}</div>`;
}

function rowsHtml(finding: Finding, isShort: boolean): string {
  const rows = findingRows(finding).map(
    ([name, value]) => `<dt>${name}</dt><dd>${text(isShort ? shortDigests(value) : value)}</dd>`,
  );
  return rows.length === 0 ? "" : `<dl>${rows.join("")}</dl>`;
}

function tableHtml(title: string, heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const cells = (row: readonly string[]) =>
    row.map((cell, index) =>
      index === 0 ? `<td><code>${text(shortDigests(cell))}</code></td>` : `<td>${text(cell)}</td>`,
    );
  const body = rows.map((row) => `<tr>${cells(row).join("")}</tr>\n`).join("");
  return `<h2>${text(title)}</h2>\n<table><thead><tr>${heads.map((head) => `<th>${text(head)}</th>`).join("")}</tr></thead><tbody>\n${body}</tbody></table>\n`;
}
