import assert from "node:assert/strict";
import { test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { runStep, silent, type WorkEvent } from "../../src/events/index.ts";

test("runStep() names the step in the error: the innermost one, with the rest of the error as it was", async () => {
  const cause = new Error("c");
  const original = new SealrootError("corrupt", "m", { path: "p" }, cause);
  const events: WorkEvent[] = [];
  const failing = runStep(
    (event) => events.push(event),
    "outer",
    () =>
      runStep(silent, "inner", () => {
        throw original;
      }),
  );
  await assert.rejects(failing, (error: unknown) => {
    assert.ok(error instanceof SealrootError);
    assert.deepEqual(error.toJSON(), { code: "corrupt", message: "m", step: "inner", path: "p" });
    assert.deepEqual([error.cause, error.stack], [cause, original.stack]);
    return true;
  });
  assert.deepEqual(
    events.map(({ type }) => type),
    ["step-started", "step-failed"],
  );
  assert.equal(original.data.step, undefined);
});

test("runStep() passes other errors through as they are: their errno is asked for later", async () => {
  const error = Object.assign(new Error("x"), { code: "ENOENT" });
  const failing = runStep(silent, "s", () => Promise.reject(error));
  await assert.rejects(failing, (thrown) => thrown === error);
});
