/** Pages that are reports: what is not ours is never markup, and nothing comes from elsewhere. */
import { oneLine } from "../errors/index.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
/** What turns the direction of text would show a name that is another. */
const INVISIBLE = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** For text and for values of attributes in double quotes; of one line, whatever is in it. */
export function htmlText(value: string): string {
  return oneLine(value)
    .replace(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/**
 * A page up to and with its opening `<body>`: nothing that it names is fetched, and no script runs.
 *
 * @param title not escaped yet
 * @param style CSS of our own
 */
export function htmlHead(title: string, style: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${htmlText(title)}</title>
<style>${style}</style>
</head>
<body>
`;
}
