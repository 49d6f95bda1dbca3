/** Deleting deployments. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { EntryStore } from "../../src/bootloader/index.ts";
import { readStagedRecord, writeStagedRecord } from "../../src/deployment/index.ts";
import { silent } from "../../src/events/index.ts";
import {
  collectionJson,
  deleteDeployment,
  deletedText,
  type HostPlaces,
  readHost,
  rollback,
  setPinned,
} from "../../src/host/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { ManyDeployments } from "./many-deployments.ts";

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/delete-deployment.json"), "utf8"));

let made: ManyDeployments;
before(async () => {
  made = await ManyDeployments.make(3);
});
after(() => made[Symbol.dispose]());
beforeEach(() => made.restore());

const esp = (...path: string[]) => join(made.host.bootDirectory, ...path);
const store = () => new EntryStore(made.host.bootDirectory, "systemd-boot");
const menu = (folder: "live" | "staged" = "live") =>
  store()
    .list(folder)
    .entries.map(({ deploymentId = "" }) => made.ids.indexOf(deploymentId));
const present = (index: number) => [
  existsSync(esp(`EFI/Linux/bootc/bootc_composefs-${made.id(index)}.efi`)),
  existsSync(join(made.host.physicalRoot, "state/deploy", made.id(index))),
];

async function remove(places: HostPlaces, index: number) {
  const deleted = await deleteDeployment(places, made.id(index), { preparedImage: undefined, events: silent });
  const { deploymentId, wasStaged, collection } = deleted;
  const json = JSON.parse(JSON.stringify({ deploymentId, wasStaged, collection: collectionJson(collection) }));
  assert.deepEqual(faultsOf(SCHEMA, json), []);
  return deleted;
}

/** Stages these entries; the menu stays. */
function stage(...indexes: number[]): void {
  const { host } = made;
  const before = menu();
  host.menu(...indexes.map((index) => made.id(index)));
  renameSync(esp("loader/entries"), esp("loader/entries.staged"));
  mkdirSync(esp("loader/entries"));
  host.menu(...before.map((index) => made.id(index)));
  writeStagedRecord(host.runDirectory, { deploymentId: made.id(indexes[0] ?? 0), downloadOnly: false });
}

test("entry, boot files, state and image go; the others stay as they are", async () => {
  const places = made.host.places(made.id(0));
  const entries = readdirSync(esp("loader/entries"));
  const deleted = await remove(places, 2);
  assert.equal(deletedText(deleted), `Deleted deployment ${made.id(2)}`);
  assert.deepEqual(menu(), [0, 1]);
  assert.deepEqual(present(2), [false, false]);
  assert.deepEqual(
    readdirSync(esp("loader/entries")),
    entries.filter((name) => name !== "bootc_testos-1.0-0.conf"),
  );
  assert.ok((deleted.collection.images?.report.objectsRemoved ?? 0) > 0);
  const read = await readHost(places);
  assert.deepEqual([read.problems, read.rollback?.deploymentId, read.others], [[], made.id(1), []]);
});

test("booted, unknown and pinned ones are refused, and nothing changes", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  setPinned(places, made.id(1), true);
  const before = host.snapshot();
  const refused = async (at: HostPlaces, id: string, error: object) => {
    await assert.rejects(deleteDeployment(at, id, { preparedImage: undefined, events: silent }), error);
    assert.deepEqual(host.snapshot(), before);
  };
  const booted = { code: "conflict", message: "Cannot delete currently booted deployment" };
  await refused(places, made.id(0), booted);
  await refused(host.places(made.secondImage), made.id(2), booted);
  await refused(places, "ab".repeat(64), { code: "not-found", message: `Deployment ${"ab".repeat(64)} not found` });
  const prepared = { preparedImage: made.id(2), events: silent };
  await assert.rejects(deleteDeployment(places, made.id(2), prepared), {
    code: "conflict",
    message: `Cannot delete deployment ${made.id(2)}: a soft reboot into it is prepared`,
  });
  await refused(places, made.id(1), {
    code: "conflict",
    message: `Cannot delete deployment ${made.id(1)}: it is pinned`,
  });
});

test("a queued rollback to it is reverted: the next boot takes what runs", async () => {
  const places = made.host.places(made.id(2));
  // Booted by hand from the end of the menu; the queued one goes, and the next in the menu is not what runs.
  assert.deepEqual(menu(), [0, 1, 2]);
  await remove(places, 0);
  assert.deepEqual(menu(), [2, 1]);
  assert.equal((await readHost(places)).rollbackQueued, false);
});

test("the same with two deployments", async () => {
  made.host.menu(made.id(0), made.id(1));
  const places = made.host.places(made.id(0));
  await rollback(places);
  assert.deepEqual(menu(), [1, 0]);
  await remove(places, 1);
  assert.deepEqual(menu(), [0]);
});

test("a staged one goes with its entries and its record", async () => {
  made.host.menu(made.id(0), made.id(1));
  stage(2, 0);
  const deleted = await remove(made.host.places(made.id(0)), 2);
  assert.equal(deletedText(deleted), `Deleted staged deployment ${made.id(2)}`);
  assert.equal(readStagedRecord(made.host.runDirectory), undefined);
  assert.deepEqual(readdirSync(esp("loader")), ["entries"]);
  assert.deepEqual(menu(), [0, 1]);
  assert.deepEqual(present(2), [false, false]);
});

test("what is staged stays when another one goes, without it", async () => {
  made.host.menu(made.id(0), made.id(1));
  stage(2, 0, 1);
  await remove(made.host.places(made.id(0)), 1);
  assert.deepEqual([menu(), menu("staged")], [[0], [2, 0]]);
  assert.equal(readStagedRecord(made.host.runDirectory)?.deploymentId, made.id(2));
  assert.deepEqual(
    [present(1), present(2)],
    [
      [false, false],
      [true, true],
    ],
  );
});

test("one whose record cannot be read can be deleted, and a second name of its entry goes too", async () => {
  writeFileSync(made.host.originFile(made.id(1)), "rubbish");
  const name = "bootc_testos-1.0-1.conf";
  writeFileSync(esp("loader/entries", name.replace(".conf", "+2-1.conf")), readFileSync(esp("loader/entries", name)));
  assert.deepEqual(menu(), [0, 1, 2]);
  await remove(made.host.places(made.id(0)), 1);
  assert.deepEqual(menu(), [0, 2]);
  assert.deepEqual(present(1), [false, false]);
  assert.equal(readdirSync(esp("loader/entries")).length, 2);
});
