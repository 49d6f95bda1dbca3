import { test } from "node:test";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";
import { assertSession } from "./session.ts";

test("docs/repository.md: the session prints what it shows", () => {
  using directory = temporaryDirectory();
  assertSession(fencedBlocks(readDocument("repository.md"), "console").join(""), directory.path);
});
