import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseAccelerator } from "../../src/vm/index.ts";

for (const smm of ["on", "off"] as const) {
  test(`the accelerator with smm=${smm} is found out by one trial start and then known`, async () => {
    const startedMs = performance.now();
    const choice = await chooseAccelerator(smm);
    assert.ok(performance.now() - startedMs < 15_000);
    assert.ok(choice === "kvm" || choice === "tcg");
    assert.equal(chooseAccelerator(smm), chooseAccelerator(smm));
  });
}
