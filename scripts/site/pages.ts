/** Which files of the repository are pages of the site, in which groups, and where each goes. */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface Page {
  /** The Markdown file, from the checkout's root. */
  readonly source: string;
  /** The HTML file, from the site's root. The folders are the repository's, so that links keep their shape. */
  readonly path: string;
  /** The first heading. */
  readonly title: string;
  readonly text: string;
}

export interface PageGroup {
  readonly title: string;
  readonly pages: readonly Page[];
}

/** The menu: files first in their order, then what a pattern finds besides. */
const GROUPS: readonly { readonly title: string; readonly patterns: readonly string[] }[] = [
  {
    title: "Start",
    patterns: [
      ...["README.md", "docs/containerfile.md", "docs/install.md", "docs/host.md"],
      ...["docs/bootc.md", "docs/troubleshooting.md", "SECURITY.md"],
    ],
  },
  {
    title: "Use",
    patterns: [
      "docs/command-line.md",
      "docs/cli.md",
      "docs/trust.md",
      "docs/sealing.md",
      "docs/shapes.md",
      "docs/measured-boot.md",
      "docs/digests.md",
      "docs/images.md",
      "docs/repository.md",
      "docs/bootloaders.md",
    ],
  },
  { title: "Examples", patterns: ["examples/*/README.md"] },
  {
    title: "Know",
    patterns: ["docs/architecture.md", "docs/filesystem.md", "docs/formats.md", "docs/library.md", "docs/*.md"],
  },
  { title: "Specification", patterns: ["docs/spec/README.md", "docs/spec/*.md"] },
  { title: "Project", patterns: ["CHANGELOG.md", "CONTRIBUTING.md", "bench/RESULTS.md"] },
];

/**
 * Reads the pages of a checkout.
 * @throws Error when a page has no first heading
 */
export function readPages(checkout: string): PageGroup[] {
  const taken = new Set<string>();
  return GROUPS.map(({ title, patterns }) => ({
    title,
    pages: patterns
      .flatMap((pattern) => globSync(pattern, { cwd: checkout }).sort())
      .filter((source) => !taken.has(source) && taken.add(source))
      .map((source) => readPage(checkout, source)),
  }));
}

function readPage(checkout: string, source: string): Page {
  const text = readFileSync(join(checkout, source), "utf8");
  const title = /^# (.+)$/m.exec(text)?.[1]?.replaceAll("`", "");
  if (title === undefined) throw new Error(`Cannot make a page of ${source}: it has no heading`);
  return { source, path: pagePath(source), title, text };
}

/** README.md is the page of its folder, as it is where repositories are browsed. */
function pagePath(source: string): string {
  const name = basename(source, ".md");
  return join(dirname(source), `${name === "README" ? "index" : name}.html`);
}
