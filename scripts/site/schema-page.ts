/** The list of docs/schema, to which a page links as to a folder. */
import { globSync } from "node:fs";
import { basename } from "node:path";
import type { Page } from "./pages.ts";

export function schemaPage(checkout: string): Page {
  const title = "Schemas of the JSON reports";
  const names = globSync("docs/schema/*.json", { cwd: checkout }).sort();
  const list = names.map((path) => `* [${basename(path, ".json")}](${basename(path)})`);
  const text = `# ${title}\n\nEvery verb with \`--json\`, in [the words of its page](../command-line.md).\n\n${list.join("\n")}\n`;
  return { source: "docs/schema/README.md", path: "docs/schema/index.html", title, text };
}
