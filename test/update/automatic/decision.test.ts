import assert from "node:assert/strict";
import { test } from "node:test";
import { decideUpdate, type UpdateSituation } from "../../../src/update/automatic/decision.ts";
import { DEFAULT_SETTINGS } from "../../../src/update/automatic/settings.ts";
import { hostFraction } from "../../../src/update/automatic/spread.ts";
import { parseWindow } from "../../../src/update/automatic/window.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** A midnight in UTC, and so the beginning of an interval of 8 h. */
const MIDNIGHT_MS = 20_000 * 24 * HOUR_MS;
const AT_NIGHT = { day: 6, minutes: 3 * 60 };

const situation = (changes: Partial<UpdateSituation> = {}): UpdateSituation => ({
  settings: DEFAULT_SETTINGS,
  record: { lastCheckMs: MIDNIGHT_MS, failures: 0 },
  fraction: () => 0.25,
  nowMs: MIDNIGHT_MS + 5 * HOUR_MS,
  bootMs: MIDNIGHT_MS - 100 * HOUR_MS,
  clock: AT_NIGHT,
  isStaged: false,
  ...changes,
});

test("a host asks at its own moment of each interval", () => {
  // A quarter of 8 h after the beginning; the one at 02:00 is too near to a last question at 00:01.
  const next = (lastCheckMs: number) =>
    decideUpdate(situation({ record: { lastCheckMs, failures: 0 } })).nextCheckMs - MIDNIGHT_MS;
  assert.equal(next(MIDNIGHT_MS + MINUTE_MS), 10 * HOUR_MS);
  assert.equal(next(MIDNIGHT_MS), 2 * HOUR_MS);
  assert.equal(next(MIDNIGHT_MS - 3 * HOUR_MS), 2 * HOUR_MS);
  assert.equal(next(MIDNIGHT_MS + 2 * HOUR_MS), 10 * HOUR_MS);
  const due = situation({ record: { lastCheckMs: MIDNIGHT_MS - 3 * HOUR_MS, failures: 0 } });
  assert.equal(decideUpdate({ ...due, nowMs: MIDNIGHT_MS + 2 * HOUR_MS - 1 }).check, false);
  assert.equal(decideUpdate({ ...due, nowMs: MIDNIGHT_MS + 2 * HOUR_MS }).check, true);
});

test("a new host, and one that was off at its moment, asks within an hour after the boot", () => {
  const bootMs = MIDNIGHT_MS + 4 * HOUR_MS;
  for (const lastCheckMs of [undefined, MIDNIGHT_MS - 9 * HOUR_MS]) {
    const { nextCheckMs } = decideUpdate(situation({ bootMs, record: { lastCheckMs, failures: 0 } }));
    assert.equal(nextCheckMs, bootMs + HOUR_MS / 4, String(lastCheckMs));
  }
});

test("after failures it waits longer each time, up to the interval, and hosts come back at different moments", () => {
  const wait = (failures: number, fraction: number) =>
    (decideUpdate(situation({ record: { lastCheckMs: MIDNIGHT_MS, failures }, fraction: () => fraction })).nextCheckMs -
      MIDNIGHT_MS) /
    MINUTE_MS;
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 1000].map((failures) => wait(failures, 0.5)),
    [10, 20, 40, 80, 160, 320, 480, 480],
  );
  assert.deepEqual([wait(1, 0), wait(1, 0.999)].map(Math.round), [8, 12]);
});

test("a last question in the future, by a clock that was wrong, is not waited for", () => {
  const record = { lastCheckMs: MIDNIGHT_MS + 1000 * HOUR_MS, failures: 3 };
  const { nextCheckMs } = decideUpdate(situation({ record }));
  assert.ok(nextCheckMs <= MIDNIGHT_MS + 8 * HOUR_MS);
});

test("a host reboots when it may: policy, window, and its moment in the window", () => {
  const apply = (changes: Partial<UpdateSituation["settings"]>, minutes = 3 * 60, fraction = 0.25) => {
    const settings = { ...DEFAULT_SETTINGS, ...changes };
    return decideUpdate(situation({ settings, isStaged: true, clock: { day: 6, minutes }, fraction: () => fraction }));
  };
  assert.deepEqual([apply({}).apply, apply({}).reasons], [true, []]);
  const never = apply({ apply: "never" });
  assert.deepEqual([never.apply, never.reasons], [false, ["the settings leave the reboot to somebody"]]);
  const windows = [parseWindow("Sat 02:00-06:00")];
  assert.deepEqual(apply({ windows }, 60).reasons, ["no window is open"]);
  // Four hours, of which the first half is for beginning: a quarter of that is half an hour.
  assert.deepEqual(apply({ windows }, 2 * 60 + 29).reasons, ["this host's moment in the window is still to come"]);
  assert.equal(apply({ windows }, 2 * 60 + 30).apply, true);
  assert.equal(apply({ windows }, 5 * 60 + 59).apply, true);
  assert.equal(apply({ windows }, 6 * 60).apply, false);
  assert.equal(apply({ windows }, 4 * 60, 0.9999).apply, true, "nobody begins in the second half for the first time");
});

test("the numbers of hosts are stable, differ by purpose, and are evenly spread", () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => index.toString(16).padStart(32, "0"));
  assert.equal(hostFraction(ids[7] ?? "", "check"), hostFraction(ids[7] ?? "", "check"));
  assert.notEqual(hostFraction(ids[7] ?? "", "check"), hostFraction(ids[7] ?? "", "apply"));
  const tenths = Array.from({ length: 10 }, () => 0);
  for (const id of ids) {
    const tenth = Math.floor(hostFraction(id, "check") * 10);
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) assert.ok(Math.abs(count - 1000) < 150, tenths.join(" "));
});
