import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicy } from "../../src/policy/index.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";

test("docs/images.md: the requirements for bundles are read as they stand", () => {
  const requirements = fencedBlocks(readDocument("images.md"), "json").filter((block) =>
    block.includes('"sigstoreBundle"'),
  );
  assert.equal(requirements.length, 2);
  for (const requirement of requirements) {
    const policy = parsePolicy(Buffer.from(`{"default":[${requirement}]}`), "policy.json");
    assert.deepEqual(
      policy.default.map(({ type }) => type),
      ["sigstoreBundle"],
    );
  }
});
