/** Plans where nothing is new, little is known, or the update would be refused. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { displayText } from "../../src/bytes/index.ts";
import { silent } from "../../src/events/index.ts";
import { readHost, recordBoot } from "../../src/host/index.ts";
import { copyImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import {
  openUpdate,
  type PlanOptions,
  planFetched,
  planFromRegistry,
  planText,
  type UpdatePlan,
} from "../../src/update/index.ts";
import { isKnown, type Known } from "../../src/update/plan/update-plan.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { RangedBlobs } from "../imagestore/ranged-blobs.ts";
import type { ImageFile } from "../install/sealed-image.ts";
import { PLAIN_UPDATE } from "./update-options.ts";

const FOLLOWED = "docker://quay.io/example/os:1";
const NEW: readonly ImageFile[] = [{ path: "usr/bin/new", content: "n".repeat(5000) }];

interface Deployed {
  readonly host: FixtureHost;
  readonly booted: string;
  readonly etcPath: string;
}

async function deployed(host: FixtureHost, files: readonly ImageFile[] = []): Promise<Deployed> {
  const booted = await host.add({ imageReference: FOLLOWED, files });
  const etcPath = join(host.path, "etc");
  await host.fillEtc(booted, etcPath);
  return { host, booted, etcPath };
}

type Options = Partial<PlanOptions> & { readonly chunked?: boolean };

async function plan(
  { host, booted, etcPath }: Deployed,
  make: typeof planFromRegistry,
  reference: string,
  { chunked = false, ...options }: Options = {},
): Promise<UpdatePlan> {
  const layout = join(host.path, "chunked");
  const source = chunked ? `oci:${layout}:latest` : reference;
  if (chunked) {
    const packing = { policy: "accept-anything", packing: "zstd:chunked" } as const;
    await copyImage(parseReference(reference), parseReference(source), packing);
  }
  const places = host.places(booted);
  const read = await readHost(places);
  const target = { imageReference: FOLLOWED, source };
  await using update = await openUpdate(places, read, target, { policy: "accept-anything", events: silent });
  const blobs = chunked ? new RangedBlobs(layout) : update.image.blobs;
  return await make(
    places,
    read,
    { ...update, image: { ...update.image, blobs } },
    {
      ...PLAIN_UPDATE,
      ...{ etcPath, events: silent },
      ...options,
    },
  );
}

const reasonOf = <Value>(value: Known<Value>) => (isKnown(value) ? "known" : (value as { unknown: string }).unknown);
const makers = { registry: planFromRegistry, fetched: planFetched } as const;

test("the image that runs: nothing is fetched, nothing is written", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const same = await host.image();
  const before = host.snapshot();
  for (const [basis, make] of Object.entries(makers)) {
    const made = await plan(system, make, same.reference);
    assert.deepEqual([made.basis, made.standing, made.fetch.bytes, made.root.requiredBytes], [basis, "booted", 0, 0]);
    assert.equal(reasonOf(made.files), "the host has this image, nothing will be staged");
    assert.deepEqual(planText(made, false), ["No changes in: quay.io/example/os:1"]);
  }
  assert.deepEqual(host.snapshot(), before);
});

test("another UKI for the same root: known once it is fetched", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const next = await host.image({ commandLine: (id) => `composefs=${id} rw quiet` });
  assert.equal((await plan(system, planFromRegistry, next.reference)).standing, "new");
  const fetched = await plan(system, planFetched, next.reference);
  assert.equal(fetched.standing, "booted");
  assert.ok(fetched.fetch.bytes > 0);
});

test("layers without a table: what they weigh is known, and what is in them is not", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const next = await host.image({ files: NEW });
  const made = await plan(system, planFromRegistry, next.reference);
  const reason =
    "2 layers are without a table of contents that could be used; known once the image is fetched: --download-only --plan";
  for (const part of [made.files, made.packages, made.etc, made.esp, made.root.objects, made.root.state]) {
    assert.equal(reasonOf(part), reason);
  }
  assert.equal(made.fetch.bytes, made.fetch.layersBytes);
  assert.equal(made.root.requiredBytes, made.fetch.layersBytes);
  assert.equal(made.fetch.certainty, "exact");
  const lines = planText(made, false);
  assert.match(
    lines.find((line) => line.startsWith("  Root:")) ?? "",
    /^ {2}Root: {7}what is stored is not known; .* free, .* demanded$/,
  );
  assert.ok(lines.includes(`  Unknown:    ESP, Packages, Files, /etc: ${reason}`));
});

test("a conflict in /etc is on the plan, whoever would win", async () => {
  for (const etc of ["abort", "keep", "theirs"] as const) {
    using host = await FixtureHost.make();
    const system = await deployed(host);
    mkdirSync(join(system.etcPath, "mine"));
    writeFileSync(join(system.etcPath, "mine/file"), "mine\n");
    const next = await host.image({ files: [{ path: "etc/mine", content: "a file now" }] });
    for (const make of Object.values(makers)) {
      const made = await plan(system, make, next.reference, { etc, chunked: true });
      assert.ok(isKnown(made.etc));
      assert.deepEqual(made.etc.conflicts, [{ path: "mine", local: "directory" }]);
      assert.deepEqual(made.etc.kept, { added: 2, modified: 0, removed: 0 });
      assert.ok(planText(made, false).includes("    Directory 'mine' now defaults to a file in new etc"));
    }
  }
});

test("a UKI that the firmware would refuse refuses the exact plan", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const next = await host.image({ files: NEW });
  const firmware = { name: "the keys of this machine", allowed: [], forbidden: [] };
  await assert.rejects(plan(system, planFetched, next.reference, { firmware }), { code: "untrusted" });
});

test("the image that runs is not in the repository: what would be compared with it is unknown, the rest is told", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const next = await host.image({ files: NEW });
  const streams = join(host.physicalRoot, "composefs/streams");
  for (const name of readdirSync(streams)) if (name.startsWith("oci-manifest")) rmSync(join(streams, name));
  const made = await plan(system, planFromRegistry, next.reference, { chunked: true });
  assert.match(reasonOf(made.files), /^Cannot read the image that runs: sha256:[0-9a-f]{64} is not in the repository$/);
  assert.equal(reasonOf(made.packages), reasonOf(made.files));
  assert.match(reasonOf(made.etc), /^Cannot read the image's \/etc: /);
  assert.ok(isKnown(made.esp) && isKnown(made.root.objects));
});

test("contents that two new layers share are fetched once or twice: a bound", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const shared = Buffer.from(Array.from({ length: 9000 }, (_, index) => (index * index * 7) % 251));
  const next = await host.image({
    files: [{ path: "usr/share" }, { path: "usr/share/one", content: shared }],
    beside: [{ path: "boot/two", content: shared }],
  });
  const made = await plan(system, planFromRegistry, next.reference, { chunked: true });
  assert.equal(made.fetch.certainty, "at-most");
  assert.match(planText(made, false).find((line) => line.startsWith("  Fetch:")) ?? "", /^ {2}Fetch: {6}at most /);
});

test("a hundred times more files: the plan is made of all of them", async () => {
  using host = await FixtureHost.make();
  const system = await deployed(host);
  const files = Array.from({ length: 3000 }, (_, index) => ({
    path: `usr/bin/many-${index}`,
    content: `${index}`.repeat(40),
  }));
  const next = await host.image({ files });
  const made = await plan(system, planFromRegistry, next.reference, { chunked: true });
  assert.ok(isKnown(made.files));
  assert.equal(made.files.added.length, 3000);
  assert.deepEqual(made.files.changed.map(displayText), ["boot/EFI/Linux/6.12.efi"]);
  // All of the plan is one screen; the names are told when they are asked for.
  assert.ok(planText(made, false).length < 24);
  assert.ok(planText(made, true).includes('    added "usr/bin/many-2999"'));
});

test("retention decides what is garbage, and which entries there are", async () => {
  using host = await FixtureHost.make();
  const older = await host.add({
    imageReference: FOLLOWED,
    files: [{ path: "usr/bin/older", content: "o".repeat(999) }],
  });
  const system = await deployed(host);
  host.menu(system.booted, older);
  const next = await host.image({ files: NEW });
  const outcomes = [];
  for (const keep of [0, 1]) {
    const { esp, garbage } = await plan(system, planFetched, next.reference, { retention: { keep } });
    assert.ok(isKnown(esp) && isKnown(garbage));
    outcomes.push([esp.entries?.length, garbage.deployments, garbage.bootBytes > 0, garbage.objectsBytes > 999]);
  }
  assert.deepEqual(outcomes, [
    [2, [older], true, true],
    [3, [], false, false],
  ]);
});

test("an image that is older than one that has run well is refused on paper too", async () => {
  using host = await FixtureHost.make();
  const labels = { "dev.sealroot.rollback-index": "5" };
  const booted = await host.add({ imageReference: FOLLOWED, labels });
  const etcPath = join(host.path, "etc");
  await host.fillEtc(booted, etcPath);
  await recordBoot(host.places(booted), { boot: { entry: undefined }, now: new Date(0) });
  const next = await host.image({ files: NEW, labels: { "dev.sealroot.rollback-index": "4" } });
  for (const make of Object.values(makers)) {
    const planned = plan({ host, booted, etcPath }, make, next.reference);
    await assert.rejects(planned, {
      code: "untrusted",
      message: "Cannot take the image: its rollback index is 4, and this host has run an image with 5",
    });
  }
  const allowed = await plan({ host, booted, etcPath }, planFetched, next.reference, { allowDowngrade: true });
  assert.equal(allowed.standing, "new");
});

test("more packages than fit are counted", async () => {
  using host = await FixtureHost.make();
  const status = (version: string) => ({
    path: "usr/lib/status-of-dpkg",
    content: Array.from({ length: 15 }, (_, index) => `Package: p${index}\nVersion: ${version}\n`).join("\n"),
  });
  const linked: readonly ImageFile[] = [
    { path: "usr/lib/sysimage" },
    { path: "usr/lib/sysimage/dpkg" },
    { path: "usr/lib/sysimage/dpkg/status", linkPath: "../../status-of-dpkg" },
  ];
  const system = await deployed(host, [...linked, status("1")]);
  const next = await host.image({ files: [...linked, status("2")] });
  const made = await plan(system, planFromRegistry, next.reference, { chunked: true });
  const lines = planText(made, false);
  assert.ok(lines.includes("  Packages:   15 upgraded"));
  assert.ok(lines.includes("    5 more: --verbose"));
  assert.equal(planText(made, true).filter((line) => line.startsWith("    upgraded")).length, 15);
});
