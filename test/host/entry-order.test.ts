/** What stays in the menu when a new deployment comes. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type NamedEntry, osIdentity, parseBootEntry, parseOsRelease, ukiEntry } from "../../src/bls/index.ts";
import { EntryStore, type NewEntry } from "../../src/bootloader/index.ts";
import { formatOrigin, parseOrigin } from "../../src/deployment/index.ts";
import { DEFAULT_RETENTION, entriesAfterUpgrade, readHost } from "../../src/host/index.ts";
import { FixtureHost } from "./fixture-host.ts";

let host: FixtureHost;
let ids: readonly string[];
const NEW = "f".repeat(128);
const OS = osIdentity(parseOsRelease("ID=newos\nVERSION_ID=2\n"));

before(async () => {
  host = await FixtureHost.make();
  const made: string[] = [];
  for (const number of [0, 1, 2, 3, 4]) {
    made.push(await host.add({ files: [{ path: "usr/bin/number", content: "n".repeat(100 + number) }] }));
  }
  ids = made;
});
after(() => host[Symbol.dispose]());

const newEntry = (id = NEW): NamedEntry => ({
  fileName: "bootc_newos-2-1+3.conf",
  entry: ukiEntry(OS, id, "primary", "efi"),
});

const id = (index: number) => ids[index] ?? "";

function setPinned(index: number, pinned: boolean): void {
  const path = host.originFile(id(index));
  writeFileSync(path, formatOrigin({ ...parseOrigin(readFileSync(path, "utf8"), path), pinned }));
}

async function menuAfter(booted: number | undefined, keep: number, entry = newEntry()): Promise<NewEntry[]> {
  const read = await readHost(host.places(booted === undefined ? undefined : id(booted)));
  return entriesAfterUpgrade(read, entry, { keep });
}

/** As numbers; "new" for the new one. */
async function order(booted: number | undefined, keep: number, entry = newEntry()): Promise<(number | "new")[]> {
  const files = await menuAfter(booted, keep, entry);
  const boot = join(host.path, "esp-after");
  mkdirSync(join(boot, "loader"), { recursive: true });
  const store = new EntryStore(boot, "systemd-boot");
  store.stage(files);
  const staged = store.list("staged");
  assert.deepEqual(staged.unusable, []);
  // What the loader shows is the order they were given in.
  assert.deepEqual(
    staged.entries.map(({ fileName }) => fileName),
    files.map(({ fileName }) => fileName),
  );
  return staged.entries.map(({ deploymentId = "" }) => (deploymentId === NEW ? "new" : ids.indexOf(deploymentId)));
}

test("by default the new one and the one that runs stay, as bootc does it", async () => {
  host.menu(...ids);
  assert.deepEqual(await order(0, DEFAULT_RETENTION.keep), ["new", 0]);
  // Booted by hand from further down the menu.
  assert.deepEqual(await order(3, 0), ["new", 3]);
  const [first, second] = await menuAfter(3, 0);
  assert.equal(first?.fileName, "bootc_1_newos-2-1+3.conf");
  assert.equal(parseBootEntry(first?.text ?? "").sortKey, "bootc-newos-0");
  assert.equal(second?.fileName, "bootc_0_testos-1.0-0.conf");
  assert.equal(parseBootEntry(second?.text ?? "").sortKey, "bootc-testos-1");
});

test("pinned ones and as many as retention says stay behind, in the order they had", async () => {
  host.menu(...ids);
  setPinned(3, true);
  assert.deepEqual(await order(0, 0), ["new", 0, 3]);
  assert.deepEqual(await order(0, 1), ["new", 0, 1, 3]);
  assert.deepEqual(await order(2, 1), ["new", 2, 0, 3]);
  assert.deepEqual(await order(0, 100), ["new", 0, 1, 2, 3, 4]);
  setPinned(0, true);
  assert.deepEqual(await order(0, 0), ["new", 0, 3]);
  setPinned(0, false);
  setPinned(3, false);
  assert.deepEqual(await order(0, 0), ["new", 0]);
});

test("an entry of the deployment that comes is replaced", async () => {
  host.menu(...ids);
  const again = newEntry(id(1));
  assert.deepEqual(await order(0, 0, again), [1, 0]);
  assert.deepEqual(await order(0, 1, again), [1, 0, 2]);
});

test("of a host that is not running, the default entry stays", async () => {
  host.menu(id(2), id(0));
  assert.deepEqual(await order(undefined, 0), ["new", 2]);
  host.menu();
  assert.deepEqual(await order(undefined, 3), ["new"]);
});

test("when the booted one has no entry, the default entry stays", async () => {
  host.menu(id(2), id(1));
  assert.deepEqual(await order(0, 0), ["new", 2]);
});

test("what cannot be read may be pinned, and stays", async () => {
  host.menu(...ids);
  const path = host.originFile(id(4));
  const text = readFileSync(path);
  writeFileSync(path, "rubbish");
  assert.deepEqual(await order(0, 0), ["new", 0, 4]);
  writeFileSync(path, text);
});
