import assert from "node:assert/strict";
import { test } from "node:test";
import { userIdOf } from "../../src/oci/host-paths.ts";

test("in podman unshare the user counts who called it, elsewhere the one who runs the process", () => {
  const called: readonly (readonly [string | undefined, number])[] = [
    ["1001", 1001],
    ["0", 0],
    ["", 7],
    ["eve", 7],
    [undefined, 7],
  ];
  for (const [value, expected] of called) assert.equal(userIdOf({ _CONTAINERS_ROOTLESS_UID: value }, 7), expected);
});
