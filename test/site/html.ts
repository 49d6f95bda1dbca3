/** The built pages as the tests look at them: anchors and links, taken from the HTML alone. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface BuiltPage {
  /** From the site's root. */
  readonly path: string;
  readonly html: string;
  readonly anchors: ReadonlySet<string>;
  /** Values of `href` and `src`, as written. */
  readonly links: readonly string[];
}

export function readBuiltPages(site: string): BuiltPage[] {
  const paths = globSync("**/*.html", { cwd: site }).sort();
  return paths.map((path) => {
    const html = readFileSync(join(site, path), "utf8");
    const anchors = new Set(attributes(html, "id"));
    return { path, html, anchors, links: [...attributes(html, "href"), ...attributes(html, "src")] };
  });
}

/** What stands in quotation marks inside a tag; text of the page has no bare `<`. */
function attributes(html: string, name: string): string[] {
  const tags = html.match(/<[a-z][^>]*>/g) ?? [];
  return tags.flatMap((tag) => {
    const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
    return value === undefined ? [] : [value.replaceAll("&amp;", "&")];
  });
}
