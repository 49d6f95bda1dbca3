import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parsePolicy } from "../../src/oci/policy/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { startDockerRegistry } from "../oci/registry/docker-registry.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";
import { assertSession } from "./session.ts";

test("docs/images.md: the policies accept and refuse as shown", () => {
  using directory = temporaryDirectory();
  const document = readDocument("images.md");
  for (const name of ["policy.json", "strangers.json"]) {
    const [policy, ...others] = fencedBlocks(document, `json ${name}`);
    assert.ok(policy !== undefined && others.length === 0);
    writeFileSync(join(directory.path, name), policy);
  }
  assertSession(fencedBlocks(document, "console signatures").join(""), directory.path);
});

test("docs/images.md: pulling goes as shown", () => {
  using directory = temporaryDirectory();
  assertSession(fencedBlocks(readDocument("images.md"), "console pulling").join(""), directory.path);
});

test("docs/command-line.md: errors, JSON and ids are as shown", () => {
  using directory = temporaryDirectory();
  assertSession(fencedBlocks(readDocument("command-line.md"), "console command-line").join(""), directory.path);
});

test("docs/images.md: copying goes as shown, with a registry", async () => {
  const registry = await startDockerRegistry();
  try {
    const session = fencedBlocks(readDocument("images.md"), "console copying").join("");
    assert.ok(session.includes("localhost:5000"));
    using directory = temporaryDirectory();
    assertSession(session.replaceAll("localhost:5000", registry.host), directory.path);
  } finally {
    await registry.stop();
  }
});

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
