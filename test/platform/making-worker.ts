/** A worker thread that makes files in a directory, and the way to it, for as long as it can. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serveJobs } from "../../src/platform/index.ts";

serveJobs({ "make files": makeFiles });

function makeFiles(path: string): void {
  for (let number = 0; ; number++) {
    try {
      const folder = join(path, String(number % 100));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, String(number)), "x".repeat(1000));
    } catch {
      // Removed meanwhile; on it goes.
    }
  }
}
