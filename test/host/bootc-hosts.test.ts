/** Hosts as bootc 1.16.9 and 1.17 leave them: read, upgraded, rolled back and collected; what is not ours stays as it is. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silent } from "../../src/events/index.ts";
import {
  collectHost,
  configDiff,
  openMountedHost,
  readHost,
  rollback,
  statusDocument,
  statusJson,
} from "../../src/host/index.ts";
import { checkHost } from "../../src/repair/index.ts";
import { finalizeStaged, openUpdate, planFetched, updateHost } from "../../src/update/index.ts";
import { PLAIN_UPDATE } from "../update/update-options.ts";
import { BOOTC_KINDS, BootcHost, type BootcHostOptions, type BootcImage, FOLLOWED } from "./bootc/bootc-host.ts";
import { bootcCanRollBack, bootcConsistent, bootcStatus } from "./bootc/bootc-reader.ts";

const HOSTS = (["1.16.9", "1.17"] as const).flatMap((release) => BOOTC_KINDS.map((kind) => ({ kind, release })));
const nameOf = ({ kind, release }: BootcHostOptions) => `bootc ${release}, ${kind}`;
const more = (text: string) => ({ path: "usr/bin/more", content: text.repeat(300) });
const view = (host: BootcHost, booted = host.booted) => ({
  ...{ physicalRoot: host.physicalRoot, bootDirectory: host.bootDirectory, esp: host.esp, run: host.run, booted },
  bootLoader: host.isGrub ? ("grub" as const) : ("systemd" as const),
});
const GC = { scope: "all", preparedImage: undefined, events: silent } as const;

/** Booted, the one before it to roll back to. */
async function twice(options: BootcHostOptions): Promise<{ host: BootcHost; older: string; booted: string }> {
  const host = new BootcHost(options);
  const older = host.install(await host.image());
  const booted = host.stage(await host.image(more("2")));
  host.finalize();
  return { host, older, booted };
}

async function upgrade(host: BootcHost, { reference }: BootcImage) {
  const places = host.places();
  const read = await readHost(places);
  assert.deepEqual(read.problems, []);
  const target = { imageReference: FOLLOWED, source: reference };
  const open = () => openUpdate(places, read, target, { policy: "accept-anything", events: silent });
  await using planned = await open();
  const options = { ...PLAIN_UPDATE, etcPath: host.etcPath, events: silent };
  const plan = await planFetched(places, read, planned, options);
  await using opened = await open();
  return { plan, outcome: await updateHost(places, read, opened, options) };
}

for (const options of HOSTS) {
  test(`${nameOf(options)}: status as bootc prints it; fsck, config-diff and gc find nothing and write nothing`, async () => {
    const { host, older, booted } = await twice(options);
    using _ = host;
    const staged = host.stage(await host.image(more("3")), { downloadOnly: true });
    const before = host.snapshot();
    const read = await readHost(host.places());
    assert.deepEqual(read.problems, []);
    const entry = (verity: string, softRebootCapable: boolean, downloadOnly = false) => ({
      cachedUpdate: null,
      composefs: {
        bootDigest: host.bootDigestOf(verity),
        bootType: host.isUki ? "Uki" : "Bls",
        bootloader: host.isGrub ? "grub" : "systemd",
        missingVerityAllowed: false,
        verity,
      },
      downloadOnly,
      image: {
        architecture: "amd64",
        image: { image: "quay.io/example/os:1", transport: "registry" },
        imageDigest: host.manifestDigestOf(verity),
        timestamp: null,
        version: null,
      },
      ...{ incompatible: false, ostree: null, pinned: false, softRebootCapable, store: null },
    });
    assert.equal(
      statusJson(statusDocument(read)),
      JSON.stringify({
        apiVersion: "org.containers.bootc/v1",
        kind: "BootcHost",
        metadata: { name: "host" },
        spec: { bootOrder: "default", image: { image: "quay.io/example/os:1", transport: "registry" } },
        status: {
          booted: entry(booted, false),
          readOnly: false,
          rollback: entry(older, true),
          rollbackQueued: false,
          staged: entry(staged, true, true),
          ...{ type: null, usrOverlay: null },
        },
      }),
    );
    const { faults, checked } = await checkHost(host.places(), silent);
    assert.deepEqual(faults, []);
    assert.deepEqual([checked.deployments, checked.bootFiles], [3, host.isUki ? 3 : 6]);
    assert.deepEqual(await configDiff(host.places(), host.etcPath, silent), {
      ...{ added: [], modified: [], removed: [], conflicts: [] },
    });
    const gc = await collectHost(host.places(), { ...GC, dryRun: true });
    assert.deepEqual([gc.bootFiles, gc.state, gc.images?.report.paths, gc.problems], [[], [], [], []]);
    assert.deepEqual(host.snapshot(), before);
    // The reader of these tests sees the same, so that it can be trusted with ours.
    const seen = bootcStatus(view(host));
    assert.deepEqual(
      [seen.booted.verity, seen.staged?.verity, seen.staged?.downloadOnly, seen.rollback?.verity, seen.rollbackQueued],
      [booted, staged, true, older, false],
    );
    bootcConsistent(view(host));
  });

  test(`${nameOf(options)}: upgraded, finalised, collected and rolled back, bootc reads it at every step`, async () => {
    const { host, older, booted } = await twice(options);
    using _ = host;
    const foreign = host.foreign();
    writeFileSync(join(host.etcPath, "mine"), "mine\n");
    const image = await host.image(more("4"), { path: "etc/marked", content: "new\n" });
    const { plan, outcome } = await upgrade(host, image);
    assert.deepEqual([outcome.result, outcome.manifestDigest], ["staged", image.manifestDigest]);
    const { deploymentId: id } = outcome;
    const dropped = "unknown" in plan.garbage ? plan.garbage.unknown : plan.garbage.deployments;
    assert.deepEqual(dropped, [older]);
    const staged = bootcStatus(view(host));
    assert.deepEqual([staged.booted.verity, staged.staged?.verity, staged.rollback?.verity], [booted, id, older]);
    bootcConsistent(view(host));
    const end = { etcPath: host.etcPath, events: silent };
    assert.deepEqual(await finalizeStaged(host.places(), end), { kind: "finalized", deploymentId: id });
    const places = host.places({ booted: { ...bootedRoot(host), imageId: id } });
    const read = await readHost(places);
    assert.deepEqual([read.problems, read.booted?.deploymentId, read.rollback?.deploymentId], [[], id, booted]);
    const finalized = bootcStatus(view(host, id));
    assert.deepEqual(
      [finalized.booted.verity, finalized.rollback?.verity, finalized.others, finalized.rollbackQueued],
      [id, booted, [], false],
    );
    bootcConsistent(view(host, id));
    const etc = join(host.physicalRoot, "state/deploy", id, "etc");
    assert.deepEqual(
      ["mine", "marked"].map((name) => readFileSync(join(etc, name), "utf8")),
      ["mine\n", "new\n"],
    );
    const planned = await collectHost(places, { ...GC, dryRun: true });
    const before = host.snapshot();
    const done = await collectHost(places, { ...GC, dryRun: false });
    assert.deepEqual({ ...done, dryRun: true }, planned);
    assert.deepEqual(
      done.state.map(({ path }) => path),
      [`state/deploy/${older}`],
    );
    const after = host.snapshot();
    const gone = [...before.keys()].filter((path) => !after.has(path));
    assert.ok(
      gone.every((path) => /^(?:sysroot\/(?:composefs|state\/deploy)|esp\/EFI\/Linux)\//.test(path)),
      gone.join("\n"),
    );
    assert.deepEqual((await checkHost(places, silent)).faults, []);
    assert.equal(bootcCanRollBack(view(host, id)), true);
    await rollback(places);
    const queued = bootcStatus(view(host, id));
    assert.deepEqual([queued.booted.verity, queued.rollback?.verity, queued.rollbackQueued], [id, booted, true]);
    assert.deepEqual(host.foreign(), foreign);
  });

  test(`${nameOf(options)}: a rollback that bootc queued is seen and reverted; what it staged is finalised`, async () => {
    const { host, older, booted } = await twice(options);
    using _ = host;
    host.rollback();
    const read = await readHost(host.places());
    assert.deepEqual(
      [read.problems, read.booted?.deploymentId, read.rollback?.deploymentId, read.rollbackQueued],
      [[], booted, older, true],
    );
    assert.deepEqual(await rollback(host.places()), {
      ...{ deploymentId: booted, isBooted: true, reverted: true, droppedId: undefined },
    });
    assert.equal(bootcStatus(view(host)).rollbackQueued, false);
    const staged = host.stage(await host.image(more("5")));
    const end = { etcPath: host.etcPath, events: silent };
    assert.deepEqual(await finalizeStaged(host.places(), end), { kind: "finalized", deploymentId: staged });
    const seen = bootcStatus(view(host, staged));
    assert.deepEqual([seen.booted.verity, seen.rollback?.verity], [staged, booted]);
    assert.equal(existsSync(join(host.run, "composefs/staged-deployment")), false);
    bootcConsistent(view(host, staged));
  });
}

/** What hosts that were installed before 1.16 still have. */
const LEGACY: readonly (BootcHostOptions & { readonly name: string })[] = [
  { name: "no meta.json, old stream headers", kind: "systemd-uki", repository: { metaJson: false, oldHeaders: true } },
  { name: "no manifest in the origin file, one in the repository", kind: "systemd-type1", imginfo: true },
  { name: "no manifest anywhere", kind: "systemd-uki", imginfo: true, repository: { ociMetadata: false } },
  { name: "no boot digest, boot files without prefix", kind: "systemd-uki", noBootDigest: true, noPrefix: true },
  { name: "kernels without prefix", kind: "grub-type1", noPrefix: true },
  { name: "a menu without prefix", kind: "grub-uki", noPrefix: true },
].map((options) => ({ release: "1.16.9", ...options }) as BootcHostOptions & { readonly name: string });

for (const options of LEGACY) {
  test(`a host that is older still: ${options.name}; read, collected and upgraded`, async () => {
    using host = new BootcHost(options);
    const image = await host.image();
    const booted = host.install(image);
    const before = host.snapshot();
    const read = await readHost(host.places());
    assert.deepEqual([read.problems, read.booted?.deploymentId], [[], booted]);
    const digest = options.imginfo === true ? legacyDigest(image) : image.manifestDigest;
    assert.equal(statusDocument(read).status.booted?.image?.imageDigest, digest);
    assert.deepEqual((await configDiff(host.places(), host.etcPath, silent)).modified, []);
    const gc = await collectHost(host.places(), { ...GC, dryRun: true });
    assert.deepEqual([gc.bootFiles, gc.state, gc.images?.report.paths, gc.problems], [[], [], [], []]);
    assert.deepEqual(host.snapshot(), before);
    const foreign = host.foreign();
    writeFileSync(join(host.etcPath, "mine"), "mine\n");
    const { outcome } = await upgrade(host, await host.image(more("6")));
    const { deploymentId: id } = outcome;
    await finalizeStaged(host.places(), { etcPath: host.etcPath, events: silent });
    const places = host.places({ booted: { ...bootedRoot(host), imageId: id } });
    const planned = await collectHost(places, { ...GC, dryRun: true });
    assert.deepEqual({ ...(await collectHost(places, { ...GC, dryRun: false })), dryRun: true }, planned);
    const after = await readHost(places);
    assert.deepEqual([after.problems, after.booted?.deploymentId, after.rollback?.deploymentId], [[], id, booted]);
    const { faults } = await checkHost(places, silent);
    // The deployment rolled back to is as old as before: a repair could not fetch it.
    const expected =
      options.imginfo === true ? [["origin-unusable", "it names no manifest, so nothing can be fetched"]] : [];
    assert.deepEqual(
      faults.map(({ kind, detail }) => [kind, detail]),
      expected,
    );
    assert.equal(readFileSync(join(host.physicalRoot, "state/deploy", id, "etc/mine"), "utf8"), "mine\n");
    assert.deepEqual(host.foreign(), foreign);
  });
}

test("GRUB's menu: another system's entry stays through an upgrade; of one that cannot be read nothing is garbage", async () => {
  const { host, booted } = await twice({ kind: "grub-uki", release: "1.17" });
  using _ = host;
  const menu = join(host.bootDirectory, "grub2/user.cfg");
  const other = 'menuentry "Memory test" {\n  linux16 /memtest\n}\n';
  writeFileSync(menu, readFileSync(menu, "utf8") + other);
  const { outcome } = await upgrade(host, await host.image(more("7")));
  await finalizeStaged(host.places(), { etcPath: host.etcPath, events: silent });
  const text = readFileSync(menu, "utf8");
  const titles = [outcome.deploymentId, booted].map((id) => `menuentry "Test OS 1.0: (${id})" {`);
  assert.deepEqual(text.match(/^menuentry .*$/gm), [...titles, 'menuentry "Memory test" {']);
  assert.ok(text.endsWith(other));
  const places = host.places({ booted: { ...bootedRoot(host), imageId: outcome.deploymentId } });
  for (const broken of [text.slice(0, -3), "menuentry {"]) {
    writeFileSync(menu, broken);
    const before = host.snapshot();
    const gc = await collectHost(places, { ...GC, dryRun: false });
    assert.equal(gc.bootFiles.length, 0);
    if (broken === "menuentry {") assert.deepEqual([gc.isIncomplete, host.snapshot()], [true, before]);
    const { faults } = await checkHost(places, silent);
    assert.ok(faults.some(({ kind, subject }) => kind === "entry-unusable" && subject.endsWith("grub2/user.cfg")));
  }
});

test("a host with GRUB that does not run: its disk is mounted, the ESP in /boot", async () => {
  const { host, older, booted } = await twice({ kind: "grub-uki", release: "1.17" });
  using _ = host;
  const esp = join(host.bootDirectory, "efi");
  rmdirSync(esp);
  symlinkSync(host.esp, esp);
  using mounted = openMountedHost({ sysroot: host.physicalRoot, esp: host.bootDirectory, write: false });
  const read = await readHost(mounted.places);
  assert.deepEqual([read.problems, read.entries.map(({ deploymentId }) => deploymentId)], [[], [booted, older]]);
  assert.deepEqual((await checkHost(mounted.places, silent)).faults, []);
});

/** What bootc shows of an image without a manifest digest: the manifest's own, as JSON writes it, bare. */
function legacyDigest({ layout, manifestDigest }: BootcImage): string {
  const bytes = readFileSync(join(layout, "blobs/sha256", manifestDigest.slice("sha256:".length)), "utf8");
  return createHash("sha256")
    .update(JSON.stringify(JSON.parse(bytes)))
    .digest("hex");
}

function bootedRoot(host: BootcHost) {
  const { booted } = host.places();
  assert.ok(booted !== undefined);
  return booted;
}
