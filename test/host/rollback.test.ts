/** Rolling back over one, two and many deployments. */

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { EntryStore } from "../../src/bootloader/index.ts";
import { readStagedRecord, writeStagedRecord } from "../../src/deployment/index.ts";
import { deploymentByPrefix, readHost, rollback } from "../../src/host/index.ts";
import { FixtureHost } from "./fixture-host.ts";

let host: FixtureHost;
let ids: readonly string[];
const id = (index: number) => ids[index] ?? "";
const loader = (...path: string[]) => join(host.bootDirectory, "loader", ...path);
const saved = () => join(host.path, "entries-before");

before(async () => {
  host = await FixtureHost.make();
  const made: string[] = [];
  for (const number of [0, 1, 2]) {
    made.push(await host.add({ files: [{ path: "usr/bin/number", content: "n".repeat(100 + number) }] }));
  }
  ids = made;
});
after(() => host[Symbol.dispose]());
beforeEach(() => {
  host.menu(...ids);
  writeFileSync(loader("entries/windows.conf"), "version 11\nefi /EFI/Microsoft/Boot/bootmgfw.efi\n");
  cpSync(loader("entries"), saved(), { recursive: true });
});
afterEach(() => {
  rmSync(host.runDirectory, { recursive: true });
  mkdirSync(host.runDirectory);
  rmSync(loader(), { recursive: true });
  mkdirSync(loader("entries"), { recursive: true });
  rmSync(saved(), { recursive: true });
});

/** In the order of the menu, as numbers; undefined for other systems. */
const menu = () =>
  new EntryStore(host.bootDirectory, "systemd-boot")
    .list("live")
    .entries.map(({ deploymentId }) => (deploymentId === undefined ? undefined : ids.indexOf(deploymentId)));

function files(directory: string): Record<string, string> {
  const names = readdirSync(directory).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name), "latin1")]));
}

test("the previous deployment comes first, the others stay behind; a second time restores every byte", async () => {
  const places = host.places(id(0));
  const before = files(loader("entries"));
  assert.deepEqual(await rollback(places), {
    deploymentId: id(1),
    isBooted: false,
    reverted: false,
    droppedId: undefined,
  });
  assert.deepEqual(menu(), [1, 0, 2, undefined]);
  assert.equal((await readHost(places)).rollbackQueued, true);
  assert.deepEqual(readdirSync(loader()), ["entries"]);
  assert.deepEqual(await rollback(places), {
    deploymentId: id(0),
    isBooted: true,
    reverted: true,
    droppedId: undefined,
  });
  assert.deepEqual(menu(), [0, 1, 2, undefined]);
  assert.deepEqual(files(loader("entries")), before);
});

test("two entries have the names that bootc gives them", async () => {
  host.menu(id(0), id(1));
  await rollback(host.places(id(0)));
  const entries = files(loader("entries"));
  assert.deepEqual(Object.keys(entries), ["bootc_testos-1.0-0.conf", "bootc_testos-1.0-1.conf", "windows.conf"]);
  const text = (one: number, key: number) =>
    `title Test OS 1.0\nversion 1.0\nefi /EFI/Linux/bootc/bootc_composefs-${id(one)}.efi\nsort-key bootc-testos-${key}\n`;
  assert.equal(entries["bootc_testos-1.0-1.conf"], text(1, 0));
  assert.equal(entries["bootc_testos-1.0-0.conf"], text(0, 1));
});

test("whoever booted another than the default has a rollback queued", async () => {
  const places = host.places(id(2));
  assert.deepEqual(await rollback(places), {
    deploymentId: id(2),
    isBooted: true,
    reverted: true,
    droppedId: undefined,
  });
  assert.deepEqual(menu(), [2, 0, 1, undefined]);
});

test("a deployment can be named, by the first digits of its id", async () => {
  const places = host.places(id(0));
  const named = deploymentByPrefix(await readHost(places), id(2).slice(0, 12).toUpperCase());
  const outcome = await rollback(places, named.deploymentId);
  assert.deepEqual(outcome, { deploymentId: id(2), isBooted: false, reverted: false, droppedId: undefined });
  assert.deepEqual(menu(), [2, 0, 1, undefined]);
  assert.equal((await rollback(places, id(0))).reverted, true);
  const again = await rollback(places, id(0));
  assert.deepEqual([again.isBooted, again.reverted], [true, false]);
  assert.deepEqual(menu(), [0, 2, 1, undefined]);
  await assert.rejects(rollback(places, "ab".repeat(64)), {
    code: "not-found",
    message: `Cannot roll back: no boot entry starts ${"ab".repeat(64)}`,
  });
  const read = await readHost(places);
  assert.throws(() => deploymentByPrefix(read, "abc"), { code: "not-found", message: "Deployment abc not found" });
});

test("one deployment alone cannot be rolled back, and nothing is written", async () => {
  host.menu(id(0));
  const before = files(loader("entries"));
  writeStagedRecord(host.runDirectory, { deploymentId: id(1), downloadOnly: false });
  await assert.rejects(rollback(host.places(id(0))), { code: "not-found", message: "No rollback available" });
  assert.deepEqual(files(loader("entries")), before);
  assert.equal(readStagedRecord(host.runDirectory)?.deploymentId, id(1));
  await assert.rejects(rollback(host.places(id(0), { bootDirectory: undefined })), {
    code: "not-found",
    message: "Cannot roll back: the boot entries of this host were not found",
  });
});

test("what is staged is dropped, and so is a record that cannot be read", async () => {
  host.menu(id(0), id(1));
  const places = host.places(id(0));
  new EntryStore(host.bootDirectory, "systemd-boot").stage([
    { fileName: "bootc_x-1-1.conf", text: "version 1\nefi /x\n" },
  ]);
  writeStagedRecord(host.runDirectory, { deploymentId: id(2), downloadOnly: false });
  assert.equal((await rollback(places)).droppedId, id(2));
  assert.equal(readStagedRecord(host.runDirectory), undefined);
  assert.deepEqual(readdirSync(loader()), ["entries"]);
  assert.deepEqual(menu(), [1, 0, undefined]);
  mkdirSync(join(host.runDirectory, "composefs"), { recursive: true });
  writeFileSync(join(host.runDirectory, "composefs/staged-deployment"), "rubbish");
  assert.equal((await rollback(places)).droppedId, undefined);
  assert.equal(existsSync(join(host.runDirectory, "composefs/staged-deployment")), false);
  assert.deepEqual(menu(), [0, 1, undefined]);
});

test("boot counters stay, and a deployment that the boot loader gave up is not taken", async () => {
  const names = readdirSync(loader("entries")).filter((name) => name.startsWith("bootc_"));
  // The default entry has the highest number.
  const [last = "", middle = "", first = ""] = names;
  const recount = (name: string, counter: string) =>
    renameSync(loader("entries", name), loader("entries", name.replace(".conf", `${counter}.conf`)));
  recount(first, "+2-1");
  recount(last, "+0-3");
  const places = host.places(id(0));
  await rollback(places);
  assert.deepEqual(menu(), [1, 0, undefined, 2]);
  const counters = readdirSync(loader("entries")).map((name) => /\+.*(?=\.conf)/.exec(name)?.[0]);
  assert.deepEqual(counters.sort(), ["+0-3", "+2-1", undefined, undefined]);
  assert.equal(middle.includes("+"), false);
  await assert.rejects(rollback(places, id(2)), {
    code: "conflict",
    message: `Cannot roll back to ${id(2)}: its boots failed, and it has no tries left`,
  });
});

test("entries that cannot be read, and those without a deployment, go along", async () => {
  writeFileSync(loader("entries/broken.conf"), "\0\x01");
  const lost = "cd".repeat(64);
  writeFileSync(loader("entries/bootc_lost-1-9.conf"), `version 1\nefi /EFI/Linux/bootc/bootc_composefs-${lost}.efi\n`);
  await rollback(host.places(id(0)));
  assert.deepEqual(menu(), [1, 0, 2, -1, undefined]);
  assert.equal(readFileSync(loader("entries/broken.conf"), "latin1"), "\0\x01");
});
