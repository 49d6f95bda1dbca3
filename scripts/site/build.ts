/**
 * `./just site [DIRECTORY]`: README, docs/ and the other pages as a static site with search, by Eleventy, into build/site.
 *
 * The Markdown files stay as they are read in the repository: links between them lead to the pages made of them. The
 * site needs no server and no network; it can be opened from the disk.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { Eleventy, type Markdown, type UserConfig } from "@11ty/eleventy";
import { build as bundle } from "esbuild";
import { CHECKOUT } from "../package/tools.ts";
import { markHeadings, type Section } from "./headings.ts";
import { SiteLinks } from "./links.ts";
import { type Page, type PageGroup, readPages } from "./pages.ts";
import { schemaPage } from "./schema-page.ts";

const THEME = "scripts/site/theme";

/** Written last: a folder that has it is a site, and may be replaced. */
const SEARCH_TEXT = "assets/search-text.js";

/**
 * Builds the site, in the place of an earlier one.
 * @throws Error when a page links to what is not in the repository, or `output` is a folder with other things
 */
export async function buildSite(output: string): Promise<{ readonly pages: number }> {
  const groups = readPages(CHECKOUT);
  const pages = [...groups.flatMap((group) => group.pages), schemaPage(CHECKOUT)];
  const links = new SiteLinks(CHECKOUT, pages);
  const sections = new Map<string, readonly Section[]>();
  removeEarlierSite(output);
  const eleventy = new Eleventy(dirname(THEME), relative(process.cwd(), output), {
    quietMode: true,
    configPath: false,
    config(configuration) {
      for (const page of pages) addPage(configuration, page, groups);
      configuration.addPassthroughCopy({ [join(THEME, "style.css")]: "assets/style.css" });
      configuration.amendLibrary("md", (markdown) => amendMarkdown(markdown, links, sections));
      configuration.setIncludesDirectory("theme");
      return { markdownTemplateEngine: false, templateFormats: ["md"] };
    },
  });
  await eleventy.write();
  for (const path of links.files) {
    mkdirSync(dirname(join(output, path)), { recursive: true });
    copyFileSync(join(CHECKOUT, path), join(output, path));
  }
  await bundleSearch(output);
  writeSearchText(output, pages, sections);
  return { pages: pages.length };
}

function removeEarlierSite(output: string): void {
  if (!existsSync(output) || readdirSync(output).length === 0) return;
  if (!existsSync(join(output, SEARCH_TEXT)))
    throw new Error(`Cannot build into ${output}: it is not empty, nor a site`);
  rmSync(output, { recursive: true });
}

function addPage(configuration: UserConfig, page: Page, groups: readonly PageGroup[]): void {
  const from = dirname(page.path);
  const menu = groups.map(({ title, pages }) => ({
    title,
    pages: pages.map(({ path, title: text }) => ({ text, href: relative(from, path), isCurrent: path === page.path })),
  }));
  const root = relative(from, ".");
  configuration.addTemplate(page.source, page.text, {
    ...{ layout: "page.njk", permalink: page.path, source: page.source, title: page.title, menu },
    root: root === "" ? "." : root,
  });
}

/** Anchors, links and tables; HTML in a page is text, as nobody has written any. */
function amendMarkdown(markdown: Markdown, links: SiteLinks, sections: Map<string, readonly Section[]>): void {
  markdown.set({ html: false });
  markdown.core.ruler.push("sealroot-site", ({ tokens, env }) => {
    const source = sourceOf(env);
    sections.set(source, markHeadings(tokens));
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const target = token.type === "link_open" ? token.attrGet("href") : null;
      if (target !== null) token.attrSet("href", links.rewrite(source, target));
    }
  });
  // Anything wider than the page scrolls by itself: it is reachable by keyboard, and the page keeps its width.
  markdown.renderer.rules.table_open = () => '<div class="wide" tabindex="0"><table>\n';
  markdown.renderer.rules.table_close = () => "</table></div>\n";
}

function sourceOf(env: unknown): string {
  if (typeof env === "object" && env !== null && "source" in env && typeof env.source === "string") return env.source;
  throw new Error("Cannot render a page: it has no source");
}

function bundleSearch(output: string): Promise<unknown> {
  return bundle({
    ...{ entryPoints: [join(CHECKOUT, THEME, "search.js")], outfile: join(output, "assets/search.js") },
    ...{ bundle: true, minify: true, format: "iife", target: "es2022", logLevel: "warning", legalComments: "eof" },
  });
}

/** What the search looks through, loaded with the first search. */
function writeSearchText(
  output: string,
  pages: readonly Page[],
  sections: ReadonlyMap<string, readonly Section[]>,
): void {
  const entries = pages.flatMap(({ source, path, title }) =>
    (sections.get(source) ?? []).map(({ anchor, heading, text }) => {
      const id = anchor === "" ? path : `${path}#${anchor}`;
      return { id, title, heading, text };
    }),
  );
  // A script, not JSON: pages that are opened from a disk may not fetch files.
  writeFileSync(join(output, SEARCH_TEXT), `globalThis.sealrootSearchText = ${JSON.stringify(entries)};\n`);
}

if (import.meta.main) {
  const output = resolve(CHECKOUT, process.argv[2] ?? "build/site");
  const { pages } = await buildSite(output);
  console.log(`${pages} pages  ${join(output, "index.html")}`);
}
