/** bench/RESULTS.md, the newest figures first. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const RESULTS = join(import.meta.dirname, "RESULTS.md");
const TITLE = "# Benchmarks\n\nMade by `./just bench`; the newest table first.\n";

/** @param text begins with a heading of the second level and ends with a line's end */
export function addResults(text: string): void {
  const earlier = existsSync(RESULTS) ? readFileSync(RESULTS, "utf8").slice(TITLE.length) : "";
  writeFileSync(RESULTS, `${TITLE}\n${text}${earlier}`);
}
