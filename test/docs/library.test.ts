import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runTool } from "../../src/platform/index.ts";

const CHECKOUT = join(import.meta.dirname, "../..");
const EXAMPLE = /^```ts\n\/\/ example: (\S+)\n([\s\S]*?)^```$/gm;

/** What each example prints. */
const PRINTS: Readonly<Record<string, string>> = {
  "digest.ts": "9c76eecc7b76fcb46199cb27b90cf59a660e10575bb0412128905129d5b1c2aa\n",
  "errors.ts": "corrupt\n",
  "image.ts": "3ed4cf24aea643b7 directory\n",
};

test("the examples of docs/library.md run, and print what they should", async () => {
  // Inside the checkout, where its own rooms can be imported by the package's name.
  const directory = mkdtempSync(join(CHECKOUT, "test/docs/.library-"));
  try {
    const page = readFileSync(join(CHECKOUT, "docs/library.md"), "utf8");
    const printed: Record<string, string> = {};
    for (const [, name = "", code = ""] of page.matchAll(EXAMPLE)) {
      writeFileSync(join(directory, name), code);
      printed[name] = (await runTool(process.execPath, [join(directory, name)])).stdout.toString();
    }
    assert.deepEqual(printed, PRINTS);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
