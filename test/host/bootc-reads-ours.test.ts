/** Hosts of ours, read by bootc's rules: after an installation, while an update is staged, finalised, rolled back. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { writeCpio } from "../../src/cpio/index.ts";
import { silent } from "../../src/events/index.ts";
import { type HostPlaces, readHost, rollback, setPinned } from "../../src/host/index.ts";
import { finalizeStaged, openUpdate, updateHost } from "../../src/update/index.ts";
import { baseFiles, type ImageFile, type1Files, unsealedImage } from "../install/sealed-image.ts";
import { PLAIN_UPDATE } from "../update/update-options.ts";
import { bootcCanRollBack, bootcConsistent, bootcStatus } from "./bootc/bootc-reader.ts";
import { FixtureHost } from "./fixture-host.ts";

const SETUP = byteStringOfText("usr/lib/bootc/initramfs-setup");
const INITRAMFS = writeCpio([{ kind: "file", path: SETUP, mode: 0o755, bytes: Buffer.from("setup") }]);
/** With what counts its boots, so that its entry has a counter. */
const COUNTED: readonly ImageFile[] = [
  { path: "usr/lib/systemd/system" },
  { path: "usr/lib/systemd/system/sealroot-record-boot.service", content: "[Service]\n" },
];

const view = (host: FixtureHost, booted: string) => ({
  ...{ physicalRoot: host.physicalRoot, bootDirectory: host.bootDirectory, esp: host.bootDirectory, booted },
  ...{ run: host.runDirectory, bootLoader: "systemd" as const },
});

async function update(places: HostPlaces, etcPath: string, source: string): Promise<string> {
  const host = await readHost(places);
  const target = { imageReference: "docker://quay.io/example/os:1", source };
  await using opened = await openUpdate(places, host, target, { policy: "accept-anything", events: silent });
  return (await updateHost(places, host, opened, { ...PLAIN_UPDATE, etcPath, events: silent })).deploymentId;
}

/** Everything that bootc looks at, at each step from the installation on. */
async function life(host: FixtureHost, first: string, next: string): Promise<void> {
  const etcPath = join(host.path, "etc");
  await host.fillEtc(first, etcPath);
  const installed = bootcStatus(view(host, first));
  assert.deepEqual([installed.booted.verity, installed.staged, installed.rollbackQueued], [first, undefined, false]);
  bootcConsistent(view(host, first));
  assert.equal(bootcCanRollBack(view(host, first)), false);
  const id = await update(host.places(first), etcPath, next);
  const staged = bootcStatus(view(host, first));
  assert.deepEqual(
    [staged.booted.verity, staged.staged?.verity, staged.staged?.downloadOnly, staged.rollback, staged.rollbackQueued],
    [first, id, false, undefined, false],
  );
  bootcConsistent(view(host, first));
  // Our own section stays out of the way.
  setPinned(host.places(first), first, true);
  assert.deepEqual(bootcStatus(view(host, first)), staged);
  setPinned(host.places(first), first, false);
  await finalizeStaged(host.places(first), { etcPath, events: silent });
  const finalized = bootcStatus(view(host, id));
  assert.deepEqual([finalized.booted.verity, finalized.rollback?.verity, finalized.others], [id, first, []]);
  const read = await readHost(host.places(id));
  assert.deepEqual(
    [finalized.booted, finalized.rollback].map((one) => [one?.bootDigest, one?.imageDigest, one?.bootType]),
    [read.booted, read.rollback].map((one) => [
      one?.origin.bootDigest,
      one?.origin.manifestDigest,
      one?.origin.bootType,
    ]),
  );
  bootcConsistent(view(host, id));
  assert.equal(bootcCanRollBack(view(host, id)), true);
  await rollback(host.places(id));
  assert.equal(bootcStatus(view(host, id)).rollbackQueued, true);
  bootcConsistent(view(host, id));
}

test("a sealed host", async () => {
  using host = await FixtureHost.make();
  const first = await host.add();
  const { reference } = await host.image({ files: [{ path: "usr/bin/new", content: "n".repeat(200) }] });
  await life(host, first, reference);
});

test("a sealed host whose boots are counted", async () => {
  using host = await FixtureHost.make();
  const first = await host.add();
  const { reference } = await host.image({ files: COUNTED });
  await life(host, first, reference);
  assert.ok(readdirSync(join(host.bootDirectory, "loader/entries")).some((name) => name.includes("+3")));
});

test("a host without seal, its kernel shared", async () => {
  using host = await FixtureHost.make();
  const image = async (name: string, ...more: readonly ImageFile[]) => {
    mkdirSync(join(host.path, name));
    const files = [...baseFiles(), ...type1Files({ initramfs: INITRAMFS }), ...more];
    return (await unsealedImage(join(host.path, name), files)).reference;
  };
  const first = await host.addType1(await image("first"), "root=UUID=x rw IMAGE");
  await life(host, first, await image("second", { path: "usr/bin/new", content: "n".repeat(200) }));
});
