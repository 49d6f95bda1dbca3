/** Updates by the rules of the host: how many deployments stay, and how old an image may be. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EntryStore } from "../../src/bootloader/index.ts";
import { silent } from "../../src/events/index.ts";
import { type HostPlaces, readHost, recordBoot, setPinned } from "../../src/host/index.ts";
import { finalizeStaged, openUpdate, type StageUpdateOptions, updateHost } from "../../src/update/index.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { PLAIN_UPDATE } from "./update-options.ts";

const REFERENCE = "docker://quay.io/example/os:1";
const files = (number: number) => [{ path: "usr/bin/number", content: "n".repeat(100 + number) }];

async function update(places: HostPlaces, source: string, etcPath: string, options: Partial<StageUpdateOptions> = {}) {
  const host = await readHost(places);
  const target = { imageReference: REFERENCE, source };
  await using opened = await openUpdate(places, host, target, { policy: "accept-anything", events: silent });
  return await updateHost(places, host, opened, {
    ...PLAIN_UPDATE,
    ...{ etcPath, events: silent },
    ...options,
  });
}

test("pinned deployments, and as many more as retention says, stay in the menu", async () => {
  using host = await FixtureHost.make();
  const ids: string[] = [];
  for (const number of [0, 1, 2, 3]) ids.push(await host.add({ files: files(number) }));
  const [booted = "", second = "", third = "", fourth = ""] = ids;
  host.menu(...ids);
  const etcPath = join(host.path, "etc");
  await host.fillEtc(booted, etcPath);
  const places = host.places(booted);
  setPinned(places, fourth, true);
  const next = await host.image({ files: files(9) });
  const { deploymentId } = await update(places, next.reference, etcPath, { retention: { keep: 1 } });
  await finalizeStaged(places, { etcPath, events: silent });
  const { entries } = new EntryStore(host.bootDirectory, "systemd-boot").list("live");
  assert.deepEqual(
    entries.map((entry) => entry.deploymentId),
    [deploymentId, booted, second, fourth],
  );
  assert.ok(!entries.some((entry) => entry.deploymentId === third));
  const read = await readHost(host.places(deploymentId));
  assert.deepEqual(read.problems, []);
  assert.equal(read.others.find((other) => other.deploymentId === fourth)?.origin.pinned, true);
});

test("an image that is older than one that has run well is refused before anything is fetched", async () => {
  using host = await FixtureHost.make();
  const labels = (index: string) => ({ "dev.sealroot.rollback-index": index });
  const booted = await host.add({ labels: labels("5") });
  const etcPath = join(host.path, "etc");
  await host.fillEtc(booted, etcPath);
  const places = host.places(booted);
  const record = join(host.physicalRoot, "state/sealroot/rollback-index");
  const older = await host.image({ files: files(1), labels: labels("4") });
  const unlabelled = await host.image({ files: files(2) });
  const newer = await host.image({ files: files(3), labels: labels("6") });
  // Not before its boot was good.
  assert.equal(existsSync(record), false);
  await recordBoot(places, { boot: { entry: undefined }, now: new Date(0) });
  assert.equal(readFileSync(record, "utf8"), "5\n");
  const before = host.snapshot();
  for (const [image, index] of [
    [older, 4],
    [unlabelled, 0],
  ] as const) {
    await assert.rejects(update(places, image.reference, etcPath), {
      code: "untrusted",
      message: `Cannot take the image: its rollback index is ${index}, and this host has run an image with 5`,
    });
    assert.deepEqual(host.snapshot(), before);
  }
  const forced = await update(places, older.reference, etcPath, { allowDowngrade: true });
  assert.equal(forced.deploymentId, older.deploymentId);
  assert.equal((await update(places, newer.reference, etcPath)).deploymentId, newer.deploymentId);
  assert.equal(readFileSync(record, "utf8"), "5\n");
});
