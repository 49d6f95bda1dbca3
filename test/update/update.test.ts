/** Upgrades of hosts that are folders: what is staged, what the switch at shutdown leaves, what is refused. */

import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BOOT_SLOTS_PATH } from "../../src/bootplan/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { silent } from "../../src/events/index.ts";
import { type HostPlaces, readHost, recordRollbackIndex } from "../../src/host/index.ts";
import {
  applyDownloaded,
  finalizeStaged,
  openUpdate,
  type StageUpdateOptions,
  type UpdateTarget,
  updateHost,
} from "../../src/update/index.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import type { ImageFile } from "../install/sealed-image.ts";
import { PLAIN_UPDATE } from "./update-options.ts";

const FOLLOWED = "docker://quay.io/example/os:1";
const NEW_FILES: readonly ImageFile[] = [
  { path: "etc/hostname", content: "newer\n" },
  { path: "etc/new.conf", content: "new\n" },
  { path: "usr/bin/new", content: "n".repeat(200) },
];

interface Deployed {
  readonly host: FixtureHost;
  readonly booted: string;
  readonly places: HostPlaces;
  readonly etcPath: string;
}

/** A host that runs the base image; its live `/etc` is as installed. */
async function deployed(host: FixtureHost): Promise<Deployed> {
  const booted = await host.add({ imageReference: FOLLOWED });
  const etcPath = join(host.path, "etc");
  await host.fillEtc(booted, etcPath);
  return { host, booted, places: host.places(booted), etcPath };
}

type Choices = Partial<StageUpdateOptions> & { readonly target?: Partial<UpdateTarget> };

async function update({ places, etcPath }: Deployed, source: string, { target, ...options }: Choices = {}) {
  const host = await readHost(places);
  await using opened = await openUpdate(
    places,
    host,
    { imageReference: FOLLOWED, source, ...target },
    { policy: "accept-anything", events: silent },
  );
  return await updateHost(places, host, opened, {
    ...PLAIN_UPDATE,
    etcPath,
    events: silent,
    ...options,
  });
}

const liveEntries = (host: FixtureHost) => readdirSync(join(host.bootDirectory, "loader/entries")).sort();
const stagedEntries = (host: FixtureHost) => readdirSync(join(host.bootDirectory, "loader/entries.staged")).sort();
const ukis = (host: FixtureHost) => readdirSync(join(host.bootDirectory, "EFI/Linux/bootc")).sort();
const etcOf = (host: FixtureHost, id: string, name: string) =>
  readFileSync(join(host.physicalRoot, "state/deploy", id, "etc", name), "utf8");

test("an update is staged: files, state, entries, record; what boots stays", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const before = liveEntries(host);
  const next = await host.image({ files: NEW_FILES });
  const outcome = await update(system, next.reference);
  assert.deepEqual(
    { ...outcome, manifestDigest: "" },
    {
      result: "staged",
      standing: "new",
      deploymentId: next.deploymentId,
      manifestDigest: "",
      followsNewReference: false,
    },
  );
  assert.deepEqual(liveEntries(host), before);
  assert.deepEqual(stagedEntries(host), ["bootc_testos-1.0-0.conf", "bootc_testos-1.0-1.conf"]);
  assert.deepEqual(ukis(host), [system.booted, next.deploymentId].map((id) => `bootc_composefs-${id}.efi`).sort());
  const state = join(host.physicalRoot, "state/deploy", next.deploymentId);
  assert.deepEqual(readdirSync(state).sort(), [`${next.deploymentId}.origin`, "etc", "var"].sort());
  assert.equal(etcOf(host, next.deploymentId, "new.conf"), "new\n");
  assert.equal(existsSync(join(state, "etc/.updated")), false);
  const read = await readHost(system.places);
  assert.deepEqual(read.problems, []);
  assert.equal(read.staged?.deploymentId, next.deploymentId);
  assert.equal(read.staged?.downloadOnly, false);
  assert.equal(read.staged?.origin.manifestDigest, outcome.manifestDigest);
  assert.equal(read.booted?.deploymentId, system.booted);
  assert.equal(read.rollbackQueued, false);
});

test("at shutdown /etc is merged and the entries are switched; the old deployment is the one to go back to", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  writeFileSync(join(system.etcPath, "mine"), "mine\n");
  const next = await host.image({ files: NEW_FILES });
  await update(system, next.reference);
  writeFileSync(join(system.etcPath, "late"), "late\n");
  assert.deepEqual(await finalizeStaged(system.places, { etcPath: system.etcPath, events: silent }), {
    kind: "finalized",
    deploymentId: next.deploymentId,
  });
  assert.equal(existsSync(join(host.bootDirectory, "loader/entries.staged")), false);
  assert.equal(existsSync(join(host.runDirectory, "composefs/staged-deployment")), false);
  assert.deepEqual(
    ["mine", "late", "hostname", "new.conf"].map((name) => etcOf(host, next.deploymentId, name)),
    ["mine\n", "late\n", "newer\n", "new\n"],
  );
  const read = await readHost(host.places(next.deploymentId));
  assert.deepEqual(read.problems, []);
  assert.deepEqual(
    [read.booted?.deploymentId, read.rollback?.deploymentId, read.rollbackQueued],
    [next.deploymentId, system.booted, false],
  );
  assert.deepEqual(await finalizeStaged(system.places, { etcPath: system.etcPath, events: silent }), {
    kind: "nothing",
  });
});

test("an image that runs already changes nothing but the name that is followed", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const same = await host.image();
  const snapshot = host.snapshot();
  const unchanged = await update(system, same.reference);
  assert.deepEqual(
    [unchanged.result, unchanged.standing, unchanged.followsNewReference],
    ["unchanged", "booted", false],
  );
  assert.deepEqual(host.snapshot(), snapshot);
  const imageReference = "docker://quay.io/other/os:stable";
  const renamed = await update(system, same.reference, { target: { imageReference } });
  assert.deepEqual([renamed.result, renamed.standing, renamed.followsNewReference], ["unchanged", "booted", true]);
  const { booted, problems } = await readHost(system.places);
  assert.deepEqual([booted?.origin.imageReference, problems], [imageReference, []]);
});

test("the same files in another manifest are the same deployment, with the new manifest", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const same = await host.image({ annotations: { "org.example.build": "2" } });
  assert.equal(same.deploymentId, system.booted);
  const outcome = await update(system, same.reference);
  assert.deepEqual([outcome.result, outcome.standing], ["unchanged", "booted"]);
  const { booted, problems } = await readHost(system.places);
  assert.deepEqual([booted?.origin.manifestDigest, problems], [outcome.manifestDigest, []]);
});

test("what was only downloaded is not taken until it is told to", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const next = await host.image({ files: NEW_FILES });
  const { result } = await update(system, next.reference, { downloadOnly: true });
  assert.equal(result, "downloaded");
  assert.equal((await readHost(system.places)).staged?.downloadOnly, true);
  const finalize = () => finalizeStaged(system.places, { etcPath: system.etcPath, events: silent });
  assert.deepEqual(await finalize(), { kind: "download-only", deploymentId: next.deploymentId });
  const started: string[] = [];
  const startFinalizer = async () => void started.push("started");
  assert.equal(await applyDownloaded(system.places, { startFinalizer }), true);
  assert.equal(await applyDownloaded(system.places, { startFinalizer }), false);
  assert.deepEqual(started, ["started"]);
  assert.equal((await readHost(system.places)).staged?.downloadOnly, false);
  assert.equal((await finalize()).kind, "finalized");
});

test("an upgrade without --download-only takes what was downloaded", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const next = await host.image({ files: NEW_FILES });
  await update(system, next.reference, { downloadOnly: true });
  const outcome = await update(system, next.reference);
  assert.deepEqual([outcome.result, outcome.standing], ["unchanged", "staged"]);
  assert.equal((await readHost(system.places)).staged?.downloadOnly, false);
});

test("nothing downloaded: an error that says how to", async () => {
  using host = await FixtureHost.make();
  const { places } = await deployed(host);
  await assert.rejects(applyDownloaded(places, { startFinalizer: async () => {} }), {
    code: "not-found",
    message: "Cannot apply what was downloaded: no deployment is staged",
  });
});

test("a second update before the reboot takes the place of the first", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const [first, second] = [await host.image({ files: NEW_FILES }), await host.image({ files: NEW_FILES.slice(1) })];
  await update(system, first.reference);
  await update(system, second.reference);
  const { staged, problems } = await readHost(system.places);
  assert.equal(staged?.deploymentId, second.deploymentId);
  assert.deepEqual(problems, []);
  assert.equal((await finalizeStaged(system.places, { etcPath: system.etcPath, events: silent })).kind, "finalized");
});

test("a conflict in /etc refuses before anything is staged, or is decided as told", async () => {
  const files = [{ path: "etc/mine", content: "a file now" }];
  for (const policy of ["abort", "keep", "theirs"] as const) {
    using host = await FixtureHost.make();
    const system = await deployed(host);
    mkdirSync(join(system.etcPath, "mine"));
    writeFileSync(join(system.etcPath, "mine/file"), "mine\n");
    const next = await host.image({ files });
    const updated = update(system, next.reference, { etc: policy });
    if (policy === "abort") {
      await assert.rejects(updated, (error) => error instanceof SealrootError && error.code === "conflict");
      assert.equal((await readHost(system.places)).staged, undefined);
      assert.deepEqual(ukis(host), [`bootc_composefs-${system.booted}.efi`]);
      continue;
    }
    assert.equal((await updated).result, "staged");
    await finalizeStaged(system.places, { etcPath: system.etcPath, events: silent });
    if (policy === "keep") assert.equal(etcOf(host, next.deploymentId, "mine/file"), "mine\n");
    else assert.equal(etcOf(host, next.deploymentId, "mine"), "a file now");
  }
});

test("a UKI that the firmware would refuse is not staged", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const next = await host.image({ files: NEW_FILES });
  const firmware = { name: "the keys of this machine", allowed: [], forbidden: [] };
  await assert.rejects(update(system, next.reference, { firmware }), (error) => {
    assert.ok(error instanceof SealrootError);
    assert.equal(error.code, "untrusted");
    assert.match(error.message, /^Cannot use the UKI .*: firmware with the keys of this machine refuses it/);
    return true;
  });
  assert.equal((await readHost(system.places)).staged, undefined);
  assert.deepEqual(ukis(host), [`bootc_composefs-${system.booted}.efi`]);
});

test("record and staged entries that disagree: the switch is refused, what boots stays", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const next = await host.image({ files: NEW_FILES });
  await update(system, next.reference);
  const before = liveEntries(host);
  rmSync(join(host.bootDirectory, "loader/entries.staged/bootc_testos-1.0-1.conf"));
  await assert.rejects(finalizeStaged(system.places, { etcPath: system.etcPath, events: silent }), {
    code: "corrupt",
    message: "Cannot finalize the staged deployment: the staged boot entries are not its own",
  });
  assert.deepEqual(liveEntries(host), before);
});

const ROOT_CONFIGURATION = (text: string): ImageFile[] => [
  { path: "usr/lib/composefs" },
  { path: "usr/lib/composefs/setup-root-conf.toml", content: text },
];

test("an image with an overlay on /etc gets the merged one as its upper layer, with what was removed hidden", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  writeFileSync(join(system.etcPath, "mine"), "mine\n");
  rmSync(join(system.etcPath, "empty"));
  const next = await host.image({ files: [...NEW_FILES, ...ROOT_CONFIGURATION('[etc]\nmount = "overlay"\n')] });
  await update(system, next.reference);
  await finalizeStaged(system.places, { etcPath: system.etcPath, events: silent });
  assert.equal(etcOf(host, next.deploymentId, "upper/mine"), "mine\n");
  assert.equal(etcOf(host, next.deploymentId, "upper/new.conf"), "new\n");
  const hidden = lstatSync(join(host.physicalRoot, "state/deploy", next.deploymentId, "etc/upper/empty"));
  assert.deepEqual([hidden.isCharacterDevice(), hidden.rdev], [true, 0]);
});

test("what was changed in a transient /etc ends with the boot", async () => {
  using host = await FixtureHost.make();
  const booted = await host.add({
    imageReference: FOLLOWED,
    files: ROOT_CONFIGURATION('[etc]\nmount = "transient"\n'),
  });
  const etcPath = join(host.path, "etc");
  await host.fillEtc(booted, etcPath);
  writeFileSync(join(etcPath, "mine"), "mine\n");
  const system = { host, booted, places: host.places(booted), etcPath };
  const next = await host.image({ files: NEW_FILES });
  await update(system, next.reference);
  assert.equal((await finalizeStaged(system.places, { etcPath, events: silent })).kind, "finalized");
  assert.equal(existsSync(join(host.physicalRoot, "state/deploy", next.deploymentId, "etc/mine")), false);
  assert.equal(etcOf(host, next.deploymentId, "new.conf"), "new\n");
});

const BLESSED: ImageFile = { path: "usr/lib/systemd/systemd-bless-boot", content: "#!", header: { mode: 0o755 } };

test("an image that can say that its boot was good is counted, with the key that the loader counts", async () => {
  for (const [loaderInfo, key] of [
    ["systemd-boot 257.13-1", "efi"],
    ["systemd-boot 259.1", "uki"],
  ] as const) {
    using host = await FixtureHost.make();
    const system = await deployed(host);
    const next = await host.image({ files: [...NEW_FILES, BLESSED] });
    await update(system, next.reference, { loaderInfo });
    assert.deepEqual(stagedEntries(host), ["bootc_testos-1.0-0.conf", "bootc_testos-1.0-1+3.conf"]);
    const text = readFileSync(join(host.bootDirectory, "loader/entries.staged/bootc_testos-1.0-1+3.conf"), "utf8");
    assert.match(text, new RegExp(`^${key} /EFI/Linux/bootc/`, "m"));
    assert.ok(existsSync(join(host.physicalRoot, BOOT_SLOTS_PATH)), "its boots have a place for their reports");
  }
});

test("an image whose boots failed is not taken again until told", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const next = await host.image({ files: [...NEW_FILES, BLESSED] });
  await update(system, next.reference);
  await finalizeStaged(system.places, { etcPath: system.etcPath, events: silent });
  const entries = join(host.bootDirectory, "loader/entries");
  renameSync(join(entries, "bootc_testos-1.0-1+3.conf"), join(entries, "bootc_testos-1.0-1+0-3.conf"));
  const fallenBack = await readHost(system.places);
  assert.deepEqual(
    [fallenBack.booted?.deploymentId, fallenBack.failedBoots.map(({ deploymentId }) => deploymentId)],
    [system.booted, [next.deploymentId]],
  );
  await assert.rejects(update(system, next.reference), (error) => {
    assert.ok(error instanceof SealrootError);
    assert.equal(error.code, "conflict");
    assert.match(
      error.message,
      /^Cannot upgrade to docker:\/\/quay.io\/example\/os:1: this image did not boot on this host in 3 tries/,
    );
    return true;
  });
  const outcome = await update(system, next.reference, { retryFailed: true });
  assert.deepEqual([outcome.result, outcome.deploymentId], ["staged", next.deploymentId]);
  await finalizeStaged(system.places, { etcPath: system.etcPath, events: silent });
  assert.deepEqual(liveEntries(host), ["bootc_testos-1.0-0.conf", "bootc_testos-1.0-1+3.conf"]);
  assert.deepEqual((await readHost(host.places(next.deploymentId))).failedBoots, []);
});

test("an image with a lower rollback index than the recorded one is refused, unless forced", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  recordRollbackIndex(system.places, { "dev.sealroot.rollback-index": "7" });
  const older = await host.image({ files: NEW_FILES, labels: { "dev.sealroot.rollback-index": "6" } });
  const before = host.snapshot();
  await assert.rejects(update(system, older.reference), {
    code: "untrusted",
    message: "Cannot take the image: its rollback index is 6, and this host has run an image with 7",
  });
  assert.deepEqual(host.snapshot(), before);
  assert.equal((await update(system, older.reference, { allowDowngrade: true })).result, "staged");
});

test("what earlier updates left is removed when one is staged", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const [first, second] = [await host.image({ files: NEW_FILES }), await host.image({ files: NEW_FILES.slice(1) })];
  await update(system, first.reference);
  await update(system, second.reference);
  assert.deepEqual(ukis(host), [system.booted, second.deploymentId].map((id) => `bootc_composefs-${id}.efi`).sort());
  const states = readdirSync(join(host.physicalRoot, "state/deploy")).sort();
  assert.deepEqual(states, [system.booted, second.deploymentId].sort());
});
