import assert from "node:assert/strict";
import { test } from "node:test";
import { minutesInWindow, parseWindow } from "../../../src/update/automatic/window.ts";

const DAY = { Sun: 0, Mon: 1, Tue: 2, Wed: 3, Thu: 4, Fri: 5, Sat: 6 } as const;
const at = (text: string) => {
  const [day = "", time = ""] = text.split(" ");
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return { day: DAY[day as keyof typeof DAY], minutes: hours * 60 + minutes };
};

test("a window is open from its first minute to the one before its end, on its days", () => {
  const window = parseWindow("Sat,Sun 02:00-05:00");
  const cases: [string, number | undefined][] = [
    ["Sat 01:59", undefined],
    ["Sat 02:00", 0],
    ["Sat 04:59", 179],
    ["Sat 05:00", undefined],
    ["Sun 03:30", 90],
    ["Mon 03:30", undefined],
  ];
  for (const [clock, expected] of cases) assert.equal(minutesInWindow(window, at(clock)), expected, clock);
});

test("over midnight it belongs to the day on which it began; a range of days may go over the week's end", () => {
  const window = parseWindow("Fri-Mon 22:30-04:00");
  assert.equal(minutesInWindow(window, at("Tue 03:59")), 329);
  assert.equal(minutesInWindow(window, at("Tue 22:30")), undefined);
  assert.equal(minutesInWindow(window, at("Fri 03:00")), undefined);
  assert.equal(minutesInWindow(window, at("Sun 00:00")), 90);
});

test("without days it is there every day, and a whole day is one", () => {
  assert.deepEqual(parseWindow("3:00 - 04:00"), {
    days: new Set([0, 1, 2, 3, 4, 5, 6]),
    startMinutes: 180,
    lengthMinutes: 60,
  });
  assert.equal(parseWindow("wednesday 00:00-24:00").lengthMinutes, 1440);
  assert.equal(parseWindow("Wed 06:00-06:00").lengthMinutes, 1440);
  assert.equal(minutesInWindow(parseWindow("Wed 06:00-06:00"), at("Thu 05:59")), 1439);
});

test("anything else is refused with an example", () => {
  const wrong = ["", "02:00", "Sat 2-5", "25:00-26:00", "02:60-03:00", "Foo 02:00-03:00", "Sat-Sun-Mon 02:00-03:00"];
  for (const text of [...wrong, "Satan 02:00-03:00", ", 02:00-03:00", "24:00-24:00", "Sat02:00-03:00"]) {
    assert.throws(() => parseWindow(text), { code: "usage", message: `Cannot read the window "${text}"` }, text);
  }
});
