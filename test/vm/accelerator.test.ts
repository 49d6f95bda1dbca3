import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseAccelerator } from "../../src/vm/index.ts";

test("the accelerator is found out by one trial start and then known", async () => {
  const startedMs = performance.now();
  const choice = await chooseAccelerator("amd64");
  assert.ok(performance.now() - startedMs < 15_000);
  assert.ok(choice === "kvm" || choice === "tcg");
  assert.equal(chooseAccelerator("amd64"), chooseAccelerator("amd64"));
  assert.equal(await chooseAccelerator("arm64"), "tcg");
});
