/** Updates of hosts with add-ons: what goes along, what is added, when it counts, what a plan says of it. */

import assert from "node:assert/strict";
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type AddonNames, NO_ADDONS } from "../../src/bootimage/index.ts";
import { installedAddons } from "../../src/bootloader/index.ts";
import { readStagedRecord, removeStagedRecord } from "../../src/deployment/index.ts";
import { silent } from "../../src/events/index.ts";
import { type HostPlaces, readHost, removeAddon, rollback } from "../../src/host/index.ts";
import { copyImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import {
  applyDownloaded,
  finalizeStaged,
  openUpdate,
  planFetched,
  planFromRegistry,
  planText,
  type StageUpdateOptions,
  updateHost,
} from "../../src/update/index.ts";
import { isKnown } from "../../src/update/plan/update-plan.ts";
import { outcomeLines } from "../../src/verbs/shared/update-verb.ts";
import { addon, globalPath, type ImageAddons, inImage, scopedPath } from "../host/addon-files.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { RangedBlobs } from "../imagestore/ranged-blobs.ts";
import { TEST_KEYS } from "../install/sealed-image.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { PLAIN_UPDATE } from "./update-options.ts";

const FOLLOWED = "docker://quay.io/example/os:1";
const A = await addon("a=1");
const A2 = await addon("a=2 more");
const B = await addon("b=1");
const SITE = await addon("site=1");
const SITE2 = await addon("site=2 and=more");

interface System {
  readonly host: FixtureHost;
  readonly booted: string;
  readonly places: HostPlaces;
  readonly etcPath: string;
  readonly warnings: string[];
}

/** A host that runs an image with add-ons, all of which are installed. */
async function system(
  host: FixtureHost,
  addons: ImageAddons = { scoped: { a: A }, global: { site: SITE } },
): Promise<System> {
  const booted = await host.add({ imageReference: FOLLOWED, beside: inImage(addons) });
  for (const [name, bytes] of Object.entries(addons.scoped ?? {})) host.writeEsp(scopedPath(booted, name), bytes);
  for (const [name, bytes] of Object.entries(addons.global ?? {})) host.writeEsp(globalPath(name), bytes);
  const etcPath = join(host.path, "etc");
  await host.fillEtc(booted, etcPath);
  return { host, booted, places: host.places(booted), etcPath, warnings: [] };
}

const image = (host: FixtureHost, addons: ImageAddons, content = "new") =>
  host.image({ files: [{ path: "usr/bin/new", content }], beside: inImage(addons) });

function optionsOf({ etcPath, warnings }: System, changes: Partial<StageUpdateOptions> = {}): StageUpdateOptions {
  return {
    ...PLAIN_UPDATE,
    etcPath,
    events: (event) => {
      if (event.type === "message" && event.level === "warning") warnings.push(event.text);
    },
    ...changes,
  };
}

async function opened({ places }: System, source: string) {
  const host = await readHost(places);
  const target = { imageReference: FOLLOWED, source };
  return {
    host,
    target,
    update: await openUpdate(places, host, target, { policy: "accept-anything", events: silent }),
  };
}

async function update(
  on: System,
  source: string,
  addons: Partial<AddonNames> = {},
  changes: Partial<StageUpdateOptions> = {},
) {
  const { host, update: open } = await opened(on, source);
  await using _ = open;
  return await updateHost(on.places, host, open, optionsOf(on, { addons: { ...NO_ADDONS, ...addons }, ...changes }));
}

const finalize = ({ places, etcPath }: System) => finalizeStaged(places, { etcPath, events: silent });
const names = ({ host }: System, deploymentId?: string) =>
  installedAddons(host.bootDirectory)
    .addons.filter((one) => one.deploymentId === deploymentId)
    .map(({ name }) => name);
const esp = ({ host }: System, path: string) => readFileSync(join(host.bootDirectory, path));

test("add-ons go along by their names, from the new image; the old deployment keeps its own", async () => {
  using host = await FixtureHost.make();
  const on = await system(host);
  const next = await image(host, { scoped: { a: A2, b: B }, global: { site: SITE2, other: SITE } });
  assert.equal((await update(on, next.reference)).result, "staged");
  assert.deepEqual(names(on, next.deploymentId), ["a"]);
  assert.deepEqual(esp(on, scopedPath(next.deploymentId, "a")), Buffer.from(A2));
  assert.deepEqual(esp(on, scopedPath(on.booted, "a")), Buffer.from(A));
  // It is for every UKI, also for that of the old system, as long as that is the next one.
  assert.deepEqual(esp(on, globalPath("site")), Buffer.from(SITE));
  assert.deepEqual(readStagedRecord(host.runDirectory)?.globalAddons, ["site"]);
  await finalize(on);
  assert.deepEqual(esp(on, globalPath("site")), Buffer.from(SITE2));
  assert.deepEqual(names(on), ["site"]);
  assert.deepEqual(on.warnings, []);
  const read = await readHost(host.places(next.deploymentId));
  assert.deepEqual([read.booted?.deploymentId, read.rollback?.deploymentId], [next.deploymentId, on.booted]);
  // Rolled back, the old deployment has what it had.
  await rollback(host.places(next.deploymentId));
  assert.deepEqual(esp(on, scopedPath(on.booted, "a")), Buffer.from(A));
  assert.deepEqual(esp(on, globalPath("site")), Buffer.from(SITE2));
});

test("what the new image lacks is told: a scoped one is left behind, a global one stays", async () => {
  using host = await FixtureHost.make();
  const on = await system(host, { scoped: { a: A, b: B }, global: { site: SITE } });
  host.writeEsp(scopedPath("7".repeat(128), "stray"), A);
  const next = await image(host, { scoped: { b: B } });
  await update(on, next.reference);
  await finalize(on);
  assert.deepEqual(on.warnings, [
    "The new image has no global add-on site: it stays as it is, for every deployment",
    "The new image has no add-on a: the new deployment boots without it",
  ]);
  assert.deepEqual([names(on), names(on, next.deploymentId), names(on, on.booted)], [["site"], ["b"], ["a", "b"]]);
  assert.deepEqual(esp(on, globalPath("site")), Buffer.from(SITE));
});

test("without add-ons none is installed, whatever the image has", async () => {
  using host = await FixtureHost.make();
  const on = await system(host, {});
  const next = await image(host, { scoped: { a: A }, global: { site: SITE } });
  await update(on, next.reference);
  await finalize(on);
  assert.deepEqual(installedAddons(host.bootDirectory), { addons: [], foreign: [] });
});

test("named ones are added; a second upgrade takes along what is staged", async () => {
  using host = await FixtureHost.make();
  const on = await system(host, { scoped: { a: A } });
  const next = await image(host, { scoped: { a: A2, b: B }, global: { site: SITE } });
  await update(on, next.reference, { scoped: ["b", "b"], global: ["site"] });
  assert.deepEqual([names(on), names(on, next.deploymentId)], [[], ["a", "b"]]);
  const later = await image(host, { scoped: { a: A, b: B }, global: { site: SITE2 } }, "later");
  await update(on, later.reference);
  assert.deepEqual([names(on), names(on, later.deploymentId)], [[], ["a", "b"]]);
  await finalize(on);
  assert.deepEqual(names(on), ["site"]);
  assert.deepEqual(esp(on, globalPath("site")), Buffer.from(SITE2));
});

test("a global one that was named for an update is said to be lost with the next one, which lacks it", async () => {
  using host = await FixtureHost.make();
  const on = await system(host, {});
  await update(on, (await image(host, { global: { site: SITE } })).reference, { global: ["site"] });
  const later = await image(host, { scoped: { a: A } }, "later");
  await update(on, later.reference);
  assert.deepEqual(on.warnings, ["The new image has no global add-on site: it does not come with this update"]);
  await finalize(on);
  assert.deepEqual(names(on), []);
});

test("a global one that is named is there when the host is switched, and not before", async () => {
  for (const downloadOnly of [false, true]) {
    using host = await FixtureHost.make();
    const on = await system(host, {});
    const next = await image(host, { global: { site: SITE } });
    await update(on, next.reference, { global: ["site"] }, { downloadOnly });
    assert.deepEqual(names(on), []);
    if (downloadOnly) {
      assert.equal((await finalize(on)).kind, "download-only");
      assert.deepEqual(names(on), []);
      assert.equal(await applyDownloaded(on.places, { startFinalizer: async () => {} }), true);
    }
    assert.equal((await finalize(on)).kind, "finalized");
    assert.deepEqual(esp(on, globalPath("site")), Buffer.from(SITE));
  }
});

test("a global add-on that is removed meanwhile does not come back", async () => {
  using host = await FixtureHost.make();
  const on = await system(host);
  const next = await image(host, { scoped: { a: A }, global: { site: SITE2 } });
  await update(on, next.reference);
  removeAddon(on.places, "site");
  await finalize(on);
  assert.deepEqual(names(on), []);
});

const strangers = await temporaryKeys("other");
const firmware = { name: "the keys of this machine", allowed: [], forbidden: [] };

for (const [what, addons, named, expected] of [
  ["is not in the image", {}, { scoped: ["b"] }, /^Cannot install the add-on b: the image has no b\.addon\.efi$/],
  [
    "is not in the image, global",
    {},
    { global: ["b"] },
    /^Cannot install the global add-on b: the image has no b\.addon\.efi in \/boot\/loader\/addons$/,
  ],
  [
    "names an image",
    { scoped: { a: await addon(`composefs=${"0".repeat(128)}`) } },
    {},
    /^Cannot use the command line of the add-on a: "composefs" is decided by the seal$/,
  ],
  [
    "is for another architecture",
    { global: { site: await addon("x", TEST_KEYS.signer, "aa64") } },
    {},
    /^Cannot use the add-on site: it is for aa64, the UKI for x64$/,
  ],
  [
    "makes the line too long, with one that stays",
    { scoped: { a: await addon(`x=${"y".repeat(1899)}`) } },
    {},
    /^Cannot use the command line of the UKI with its add-ons: it has \d+ bytes, the kernel keeps 2047$/,
  ],
] as const) {
  test(`an add-on that ${what} refuses the update before anything is staged`, async () => {
    using host = await FixtureHost.make();
    const on = await system(host);
    const next = await image(host, addons);
    const before = readdirSync(host.bootDirectory, { recursive: true });
    await assert.rejects(update(on, next.reference, named), { message: expected });
    assert.deepEqual(readdirSync(host.bootDirectory, { recursive: true }), before);
    assert.equal(readStagedRecord(host.runDirectory), undefined);
    // A plan says the same.
    const { host: read, update: open } = await opened(on, next.reference);
    await using _ = open;
    const options = optionsOf(on, { addons: { ...NO_ADDONS, ...named } });
    await assert.rejects(planFetched(on.places, read, open, options), { message: expected });
  });
}

test("an add-on that this firmware would not load refuses the update", async () => {
  using host = await FixtureHost.make();
  const on = await system(host);
  const { databasesOf } = await import("../../src/keys/index.ts");
  const [own] = databasesOf([{ folder: "auto", name: "db.auth", bytes: TEST_KEYS.enrolment.db }]);
  assert.ok(own !== undefined);
  const next = await image(host, { scoped: { a: await addon("a", strangers.signer) } });
  await assert.rejects(update(on, next.reference, {}, { firmware: { ...own, name: firmware.name } }), {
    code: "untrusted",
    message: /^Cannot use the add-on a: firmware with the keys of this machine refuses it, as /,
  });
  assert.equal(readStagedRecord(host.runDirectory), undefined);
  const good = await image(host, { scoped: { a: A2 }, global: { site: SITE2 } });
  assert.equal((await update(on, good.reference, {}, { firmware: { ...own, name: firmware.name } })).result, "staged");
});

test("named for the image that the host has already", async () => {
  using host = await FixtureHost.make();
  const on = await system(host, {});
  const next = await image(host, { scoped: { a: A, b: B }, global: { site: SITE } });
  await update(on, next.reference);
  const outcome = await update(on, next.reference, { scoped: ["a"], global: ["site"] });
  assert.deepEqual(outcomeLines({ imageReference: FOLLOWED, source: "" }, outcome), [
    "Update already staged. To apply update run `sealroot upgrade --apply`",
    "Addon a takes effect at the next boot",
    "Addon site takes effect at the next boot",
  ]);
  assert.deepEqual([names(on), names(on, next.deploymentId)], [[], ["a"]]);
  await finalize(on);
  assert.deepEqual([names(on), names(on, next.deploymentId)], [["site"], ["a"]]);
  // Now it runs.
  const running = { ...on, places: host.places(next.deploymentId) };
  const again = await update(running, next.reference, { scoped: ["a", "b"] });
  assert.deepEqual(
    again.addons?.map(({ name, result }) => [name, result]),
    [
      ["a", "present"],
      ["b", "added"],
    ],
  );
  assert.deepEqual(names(on, next.deploymentId), ["a", "b"]);
  // And now it could be rolled back to.
  const third = await image(host, {}, "third");
  await update(running, third.reference);
  await finalize(running);
  const before = host.snapshot();
  await assert.rejects(update({ ...on, places: host.places(third.deploymentId) }, next.reference, { scoped: ["a"] }), {
    code: "conflict",
    message: "Cannot add the add-on a: the image is that of the rollback deployment, which is not booted next",
  });
  assert.deepEqual(host.snapshot(), before);
});

test("what a dropped staging of the same image left beside its UKI does not come back", async () => {
  using host = await FixtureHost.make();
  const on = await system(host, {});
  const next = await image(host, { scoped: { a: A, b: B } });
  await update(on, next.reference, { scoped: ["a", "b"] });
  removeStagedRecord(host.runDirectory);
  rmSync(join(host.bootDirectory, "loader/entries.staged"), { recursive: true });
  assert.deepEqual(names(on, next.deploymentId), ["a", "b"]);
  await update(on, next.reference, { scoped: ["b"] });
  assert.deepEqual(names(on, next.deploymentId), ["b"]);
});

test("an image without UKI has no add-ons", async () => {
  const { planUpdateBoot } = await import("../../src/update/update-boot.ts");
  const request = { addons: { scoped: ["a"], global: [] }, booted: {}, places: {}, reporter: { warn: () => {} } };
  await assert.rejects(planUpdateBoot({ bootType: "bls" } as never, request as never), {
    code: "unsupported",
    message: "Cannot install the add-on a: the image has no UKI that would read it",
  });
});

test("plan and outcome, to the byte, from the registry and fetched", async () => {
  using host = await FixtureHost.make();
  const older = await host.add({ imageReference: FOLLOWED, files: [{ path: "usr/bin/older", content: "o" }] });
  host.writeEsp(scopedPath(older, "a"), A);
  const on = await system(host, { scoped: { a: A, gone: B }, global: { site: SITE, same: B } });
  host.menu(on.booted, older);
  const next = await image(host, { scoped: { a: A2, b: B, c: A }, global: { site: SITE2, same: B, more: A2 } });
  const layout = join(host.path, "chunked");
  const source = `oci:${layout}:latest`;
  const packing = { policy: "accept-anything", packing: "zstd:chunked" } as const;
  await copyImage(parseReference(next.reference), parseReference(source), packing);
  const named = { scoped: ["b"], global: ["more"] };
  const plans = [];
  for (const make of [planFromRegistry, planFetched]) {
    on.warnings.length = 0;
    const { host: read, update: open } = await opened(on, source);
    await using _ = open;
    const ranged = { ...open, image: { ...open.image, blobs: new RangedBlobs(layout) } };
    const nothingDone = host.snapshot();
    plans.push(await make(on.places, read, ranged, optionsOf(on, { addons: named })));
    if (make === planFromRegistry) assert.deepEqual(host.snapshot(), nothingDone);
    assert.deepEqual(on.warnings, ["The new image has no add-on gone: the new deployment boots without it"]);
  }
  const [announced, fetched] = plans.map(({ esp }) => (isKnown(esp) ? esp : assert.fail(esp.unknown)));
  const id = next.deploymentId;
  const paths = [
    `EFI/Linux/bootc/bootc_composefs-${id}.efi`,
    ...[scopedPath(id, "b"), scopedPath(id, "a"), globalPath("more"), globalPath("site")],
  ];
  assert.deepEqual(
    fetched?.bootFiles.map(({ path }) => path),
    paths,
  );
  assert.deepEqual(
    announced?.bootFiles.map(({ bytes }) => bytes),
    fetched?.bootFiles.map(({ bytes }) => bytes),
  );
  assert.deepEqual(
    announced?.bootFiles.map(({ path }) => path),
    [undefined, undefined, undefined, ...paths.slice(3)],
  );
  assert.equal(announced?.neededBytes, fetched?.neededBytes);
  const [, plan] = plans;
  assert.ok(plan !== undefined && isKnown(plan.boot));
  assert.deepEqual(plan.boot.kernelArguments, {
    added: ["a=2", "more", "a=2", "more", "site=2", "and=more"],
    removed: ["a=1", "site=1"],
  });
  assert.equal(plan.boot.softReboot, false);
  assert.ok(planText(plan, false).some((line) => line.startsWith("  TPM:        PCR 4, 11 and 12 change")));
  const before = new Map(readdirSync(host.bootDirectory, { recursive: true }).map((path) => [String(path), true]));
  await update(on, source, named);
  const goes = [`EFI/Linux/bootc/bootc_composefs-${older}.efi`, scopedPath(older, "a")];
  const bytesOf = (path: string) => lstatSync(join(host.bootDirectory, path)).size;
  const goingBytes = goes.map(bytesOf).reduce((sum, bytes) => sum + bytes, 0);
  assert.equal(isKnown(plan.garbage) && plan.garbage.bootBytes, goingBytes);
  await finalize(on);
  for (const path of goes) assert.ok(!existsSync(join(host.bootDirectory, path)), path);
  for (const { path, bytes } of fetched?.bootFiles ?? []) {
    assert.equal(lstatSync(join(host.bootDirectory, path ?? "")).size, bytes, path);
  }
  const written = readdirSync(host.bootDirectory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(host.bootDirectory.length + 1))
    .filter((path) => !before.has(path) && !path.startsWith("loader/entries"));
  assert.deepEqual(written.sort(), paths.filter((path) => !before.has(path)).sort());
  assert.ok(!existsSync(join(host.bootDirectory, scopedPath(id, "c"))));
});

test("a plan of what cannot be says so, and nothing is known of the rest of the ESP", async () => {
  using host = await FixtureHost.make();
  const on = await system(host, {});
  const next = await image(host, {});
  const layout = join(host.path, "chunked");
  const packing = { policy: "accept-anything", packing: "zstd:chunked" } as const;
  await copyImage(parseReference(next.reference), parseReference(`oci:${layout}:latest`), packing);
  const { host: read, update: open } = await opened(on, `oci:${layout}:latest`);
  await using _ = open;
  const ranged = { ...open, image: { ...open.image, blobs: new RangedBlobs(layout) } };
  const { esp: planned } = await planFromRegistry(
    on.places,
    read,
    ranged,
    optionsOf(on, { addons: { scoped: ["x"], global: [] } }),
  );
  assert.deepEqual(planned, { unknown: "Cannot install the add-on x: the image has no x.addon.efi" });
});
