import assert from "node:assert/strict";
import { test } from "node:test";
import { BOOT_TRIES } from "../../src/bls/index.ts";
import { decideFailure, describeFailure } from "../../src/bootplan/index.ts";
import { SealrootError } from "../../src/errors/index.ts";

const entry = (counter: string) => `\\loader\\entries\\bootc_debian-13-1${counter}.conf`;

test("decideFailure() reboots while tries count, and stops instead of looping", () => {
  assert.equal(BOOT_TRIES, 3);
  const cases: [string | undefined, "reboot" | "stop"][] = [
    [undefined, "stop"],
    [entry(""), "stop"],
    [entry("+2-1"), "reboot"],
    [entry("+1-2"), "reboot"],
    // The last try: another entry, if there is one, follows.
    [entry("+0-3"), "reboot"],
    // It came back: there is no other.
    [entry("+0-4"), "stop"],
    [entry("+0-17"), "stop"],
    // Somebody else's start value.
    [entry("+4-1"), "reboot"],
    [entry("+0-1"), "reboot"],
  ];
  for (const [path, action] of cases) assert.equal(decideFailure(path).action, action, path);
});

test("decideFailure() ends every chain of failures of an entry that is alone", () => {
  for (let tries = 1; tries <= 6; tries++) {
    let reboots = 0;
    let [left, done] = [tries, 0];
    do {
      left = Math.max(left - 1, 0);
      done++;
      reboots++;
    } while (decideFailure(entry(`+${left}-${done}`)).action === "reboot" && reboots < 50);
    assert.ok(reboots <= Math.max(tries, BOOT_TRIES) + 1, `${tries} tries: ${reboots} reboots`);
  }
});

test("describeFailure() says what was expected and found, and what happens now", () => {
  const error = new SealrootError("untrusted", "Cannot use the root image: x", {
    path: "p",
    expected: "e",
    actual: "a",
  });
  assert.deepEqual(describeFailure(error, { action: "stop", reason: "because" }), [
    "Cannot use the root image: x",
    "  where:    p",
    "  expected: e",
    "  found:    a",
    "Stopped: because",
  ]);
  assert.deepEqual(describeFailure(new TypeError("t"), { action: "reboot", reason: "r" }), ["t", "Rebooting: r"]);
  const forged = new SealrootError("conflict", "m", { actual: "x\nsealroot: the root is fine" });
  assert.deepEqual(describeFailure(forged, { action: "stop", reason: "r" }), [
    "m",
    "  found:    x\\nsealroot: the root is fine",
    "Stopped: r",
  ]);
  assert.deepEqual(describeFailure("text", { action: "stop", reason: "r" }), ["text", "Stopped: r"]);
});
