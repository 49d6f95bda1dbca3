/** bench/RESULTS.md, the newest figures first. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const RESULTS = join(import.meta.dirname, "RESULTS.md");
const TITLE =
  "# Benchmarks\n\nMade by `./just bench`, `node bench/growth.ts` (how cost grows) and `node bench/trace.ts` (who waits for whom); the newest first.\n";

/** @param text begins with a heading of the second level and ends with a line's end */
export function addResults(text: string): void {
  const before = existsSync(RESULTS) ? readFileSync(RESULTS, "utf8") : TITLE;
  if (!before.startsWith(TITLE))
    throw new Error(`Cannot add to ${RESULTS}: it begins with other lines than are put there`);
  const earlier = before.slice(TITLE.length);
  writeFileSync(RESULTS, `${TITLE}\n${text}${earlier}`);
}
