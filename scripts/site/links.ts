/** Links between the files of the repository, as they are once the files are pages. */
import { statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Page } from "./pages.ts";

export class SiteLinks {
  /** Files that pages link to and that are not pages; they are copied into the site. */
  readonly files = new Set<string>();
  readonly #checkout: string;
  readonly #paths: ReadonlyMap<string, string>;

  constructor(checkout: string, pages: readonly Page[]) {
    this.#checkout = checkout;
    this.#paths = new Map(pages.map(({ source, path }) => [source, path]));
  }

  /**
   * @param source the file that has the link, from the checkout's root
   * @param target as written there
   * @returns the link for the site
   * @throws Error when the target is not in the repository
   */
  rewrite(source: string, target: string): string {
    if (/^[a-z]+:/.test(target) || target.startsWith("#")) return target;
    const [path = "", anchor] = decodeURI(target).split("#");
    const found = this.#find(join(dirname(source), path));
    if (found === undefined) throw new Error(`Cannot link ${source}: ${target} is not in the repository`);
    const link = relative(dirname(source), found);
    return encodeURI(anchor === undefined ? link : `${link}#${anchor}`);
  }

  /** Where in the site a file or folder of the repository is. */
  #find(path: string): string | undefined {
    const page = this.#paths.get(path) ?? this.#paths.get(join(path, "README.md"));
    if (page !== undefined) return page;
    const entry = statSync(join(this.#checkout, path), { throwIfNoEntry: false });
    if (entry?.isFile() !== true) return undefined;
    this.files.add(path);
    return path;
  }
}
