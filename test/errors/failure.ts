/** What an action throws, to look at more than its message. */
import assert from "node:assert/strict";
import { SealrootError } from "../../src/errors/index.ts";

export function failure(action: () => unknown): SealrootError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof SealrootError);
    return error;
  }
  return assert.fail("nothing was thrown");
}
