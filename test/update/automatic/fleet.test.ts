/** 10,000 hosts and their registry, as bench/RESULTS.md has them: bounds that must hold, whatever is changed in the decisions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOUR_MS, MINUTE_MS, POLICIES, SITUATIONS, simulateFleet } from "../../../bench/update-fleet.ts";

const policy = (name: string) => {
  const found = POLICIES.find((one) => one.name.startsWith(name));
  assert.ok(found !== undefined);
  return found;
};

for (const situation of SITUATIONS) {
  test(`hosts ${situation.name}: the registry is asked by a few at a time, and all have the update soon`, () => {
    const ours = simulateFleet(policy("sealroot's"), situation);
    assert.ok(ours.peakMinutePerSecond < 30, `${ours.peakMinutePerSecond} requests a second`);
    assert.ok(ours.peakPerSecond < 100, `${ours.peakPerSecond} requests in a second`);
    // An interval, and a look at the clock every ten minutes.
    assert.ok(ours.allMs <= 8 * HOUR_MS + 10 * MINUTE_MS, `${ours.allMs / HOUR_MS} h`);
    const without = simulateFleet(policy("every 8 h"), situation);
    assert.ok(without.peakMinutePerSecond > 40 * ours.peakMinutePerSecond);
  });
}

test("the same simulation gives the same figures", () => {
  const [situation] = SITUATIONS;
  assert.ok(situation !== undefined);
  const once = simulateFleet(policy("sealroot's"), situation, 500);
  assert.deepEqual(simulateFleet(policy("sealroot's"), situation, 500), once);
});
