import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../../src/platform/index.ts";
import { unmetConditions } from "../../../src/update/automatic/conditions.ts";

const BOTH = ["ac-power", "no-users"] as const;

function machine(
  directory: string,
  supplies: Readonly<Record<string, Readonly<Record<string, string>>>>,
  sessions: Readonly<Record<string, string>> = {},
) {
  const places = { powerSupplies: join(directory, "power"), sessions: join(directory, "sessions") };
  for (const [name, files] of Object.entries(supplies)) {
    mkdirSync(join(places.powerSupplies, name), { recursive: true });
    for (const [file, text] of Object.entries(files))
      writeFileSync(join(places.powerSupplies, name, file), `${text}\n`);
  }
  mkdirSync(places.sessions, { recursive: true });
  for (const [name, text] of Object.entries(sessions)) writeFileSync(join(places.sessions, name), text);
  return places;
}

const unmet = (...words: [Parameters<typeof machine>[1], Parameters<typeof machine>[2]?]) => {
  using scratch = temporaryDirectory({ purpose: "conditions" });
  return unmetConditions(BOTH, machine(scratch.path, ...words));
};

test("a machine that has no supply to ask, and no logind, meets everything", () => {
  using scratch = temporaryDirectory({ purpose: "conditions" });
  const nowhere = { powerSupplies: join(scratch.path, "no"), sessions: join(scratch.path, "none") };
  assert.deepEqual(unmetConditions(BOTH, nowhere), []);
});

test("a battery that discharges counts only without a plug, and only the machine's own", () => {
  const battery = { type: "Battery", status: "Discharging" };
  assert.deepEqual(unmet({ BAT0: battery }), ["it runs on battery"]);
  assert.deepEqual(unmet({ BAT0: battery, AC: { type: "Mains", online: "0" } }), ["it runs on battery"]);
  assert.deepEqual(unmet({ BAT0: battery, AC: { type: "Mains", online: "1" } }), []);
  assert.deepEqual(unmet({ BAT0: battery, C: { type: "USB", online: "1" } }), []);
  assert.deepEqual(unmet({ BAT0: { type: "Battery", status: "Full" } }), []);
  assert.deepEqual(unmet({ mouse: { ...battery, scope: "Device" } }), []);
});

test("a user's session counts, a manager's or one that closes does not", () => {
  const session = (kind: string, state = "active") => `UID=1000\nUSER=ann\nACTIVE=1\nSTATE=${state}\nCLASS=${kind}\n`;
  assert.deepEqual(unmet({}, { 1: session("user") }), ["ann is logged in"]);
  assert.deepEqual(unmet({}, { 1: session("manager"), 2: session("user", "closing") }), []);
});

test("what is not demanded is not looked at", () => {
  assert.deepEqual(unmetConditions([], { powerSupplies: "/dev/null", sessions: "/dev/null" }), []);
});
