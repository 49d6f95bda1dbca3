/** Headings: their anchors, named as GitHub names them, and the sections they begin. */
import type { Token } from "@11ty/eleventy";

/** A heading and the text under it, up to the next heading: what a search finds. */
export interface Section {
  /** Empty for what precedes the second heading. */
  readonly anchor: string;
  readonly heading: string;
  readonly text: string;
}

/** Gives every heading its `id`, and returns the sections in order. */
export function markHeadings(tokens: readonly Token[]): Section[] {
  const anchors = new Map<string, number>();
  const sections: { anchor: string; heading: string; texts: string[] }[] = [];
  for (const [index, token] of tokens.entries()) {
    const inline = tokens[index + 1];
    if (token.type === "heading_open" && inline !== undefined) {
      const heading = plainText(inline);
      const anchor = nextAnchor(heading, anchors);
      token.attrSet("id", anchor);
      sections.push({ anchor: sections.length === 0 ? "" : anchor, heading, texts: [] });
    } else if (tokens[index - 1]?.type !== "heading_open") {
      if (token.type === "inline") sections.at(-1)?.texts.push(plainText(token));
      if (token.type === "fence" || token.type === "code_block") sections.at(-1)?.texts.push(token.content);
    }
  }
  return sections.map(({ texts, ...section }) => ({ ...section, text: texts.join(" ").replace(/\s+/g, " ").trim() }));
}

function plainText(inline: Token): string {
  const parts = (inline.children ?? []).map(({ type, content }) => (type === "softbreak" ? " " : content));
  return parts.join("");
}

/** Small letters, digits, `-` and `_`; spaces become `-`; a name that was there gets a number. */
function nextAnchor(heading: string, anchors: Map<string, number>): string {
  const anchor = heading
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
    .replaceAll(" ", "-");
  const count = anchors.get(anchor) ?? 0;
  anchors.set(anchor, count + 1);
  return count === 0 ? anchor : `${anchor}-${count}`;
}
