import assert from "node:assert/strict";
import { test } from "node:test";
import { applySettings, DEFAULT_SETTINGS } from "../../../src/update/automatic/settings.ts";

const HOUR_MS = 3_600_000;
const read = (text: string) => applySettings(DEFAULT_SETTINGS, "/etc/sealroot/updates.toml", text);

test("an empty file changes nothing", () => {
  assert.deepEqual(read(""), DEFAULT_SETTINGS);
});

test("a key replaces its value before, and only that", () => {
  const image = read('window = "Sat 02:00-05:00"\nconditions = ["ac-power", "no-users"]\ninterval = "1d"\n');
  const host = applySettings(image, "x", 'window = []\napply = "never"\njitter = "90min"\ntime-zone = "utc"\n');
  assert.deepEqual(host, {
    intervalMs: 24 * HOUR_MS,
    jitterMs: 1.5 * HOUR_MS,
    apply: "never",
    windows: [],
    timeZone: "utc",
    conditions: ["ac-power", "no-users"],
  });
});

test("a jitter longer than the interval is the interval", () => {
  assert.equal(read('interval = "2h"').jitterMs, 2 * HOUR_MS);
});

test("what is not a setting is refused with the file's name", () => {
  const path = "/etc/sealroot/updates.toml";
  const cases: [string, string, string][] = [
    ["interval =", "corrupt", `Cannot parse ${path}: Invalid TOML document: invalid value`],
    ["intervall = 1", "corrupt", `Cannot read ${path}: there is no setting "intervall"`],
    ["interval = 8", "corrupt", `Cannot read ${path}: interval is 8, and must be a time such as "90min", "8h" or "7d"`],
    [
      'apply = "now"',
      "corrupt",
      `Cannot read ${path}: apply is "now", and must be "never" or "reboot" or "soft-reboot"`,
    ],
    [
      'conditions = ["full-moon"]',
      "corrupt",
      `Cannot read ${path}: conditions is "full-moon", and must be "ac-power" or "no-users"`,
    ],
    ["window = 3", "corrupt", `Cannot read ${path}: window is 3, and must be a text or a list of texts`],
    ['window = "always"', "usage", 'Cannot read the window "always"'],
    ['interval = "1min"', "usage", `Cannot use the interval of ${path}: it must be from 10min to 90d`],
    ['interval = "91d"', "usage", `Cannot use the interval of ${path}: it must be from 10min to 90d`],
  ];
  for (const [text, code, message] of cases) assert.throws(() => read(text), { code, message }, text);
});
