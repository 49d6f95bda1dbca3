/** Plans held against what comes of the update: equal to the byte, and written nowhere. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { displayText } from "../../src/bytes/index.ts";
import { silent } from "../../src/events/index.ts";
import { collectHost, type HostPlaces, readHost } from "../../src/host/index.ts";
import { copyImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import {
  finalizeStaged,
  openUpdate,
  type PlanOptions,
  planFetched,
  planFromRegistry,
  type UpdatePlan,
  updateHost,
} from "../../src/update/index.ts";
import { isKnown, type Known, type Room } from "../../src/update/plan/update-plan.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { RangedBlobs } from "../imagestore/ranged-blobs.ts";
import { BASE, type ScriptedUpdate, UPDATES } from "./planned-updates.ts";
import { PLAIN_UPDATE } from "./update-options.ts";

const FOLLOWED = "docker://quay.io/example/os:1";
const UKI_IN_IMAGE = "boot/EFI/Linux/6.12.efi";

interface Deployed {
  readonly host: FixtureHost;
  readonly places: HostPlaces;
  readonly etcPath: string;
}

/** A host that runs {@link BASE}, of which others are copies. */
const original = await FixtureHost.make();
after(() => original[Symbol.dispose]());
/** Will leave the menu with the update. */
const older = await original.add({
  imageReference: FOLLOWED,
  files: [...BASE, { path: "usr/share/older", content: Buffer.alloc(33_333, "older") }],
});
const booted = await original.add({ imageReference: FOLLOWED, files: BASE });
original.menu(booted, older);
await original.fillEtc(booted, join(original.path, "etc"));

function deployed(host: FixtureHost, change: ScriptedUpdate["host"] = () => {}): Deployed {
  for (const directory of ["sysroot", "esp", "run", "etc"]) {
    execFileSync("cp", ["-a", "--", join(original.path, directory), host.path]);
  }
  const etcPath = join(host.path, "etc");
  change(etcPath);
  return { host, places: host.places(booted), etcPath };
}

/** The image with the layers as a registry of today has them. */
async function chunked(host: FixtureHost, reference: string): Promise<string> {
  const target = `oci:${join(host.path, "chunked")}:latest`;
  const options = { policy: "accept-anything", packing: "zstd:chunked" } as const;
  await copyImage(parseReference(reference), parseReference(target), options);
  return target;
}

const layoutOf = (reference: string) => reference.split(":")[1] ?? "";

/** Opens the update as from a registry that serves parts of blobs, and counts what it serves. */
async function opened({ places, etcPath }: Deployed, source: string, { etc = "abort" }: ScriptedUpdate) {
  const host = await readHost(places);
  const update = await openUpdate(
    places,
    host,
    { imageReference: FOLLOWED, source },
    { policy: "accept-anything", events: silent },
  );
  const blobs = new RangedBlobs(layoutOf(source));
  const options: PlanOptions = {
    ...PLAIN_UPDATE,
    ...{ etc, etcPath, events: silent },
  };
  const sizes = new Map(update.image.manifest.layers.map(({ digest, size }) => [digest, size]));
  const servedBytes = () =>
    blobs.rangesBytes + blobs.wholeReads.reduce((sum, digest) => sum + (sizes.get(digest) ?? 0), 0);
  return { host, update: { ...update, image: { ...update.image, blobs } }, options, servedBytes };
}

/** Regular files below a directory, each once. */
function room(...directories: string[]): Pick<Room, "files" | "bytes" | "allottedBytes"> {
  const seen = new Set<number>();
  const sum = { files: 0, bytes: 0, allottedBytes: 0 };
  for (const directory of directories) {
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      const stat = lstatSync(join(entry.parentPath, entry.name));
      if (!stat.isFile() || seen.has(stat.ino)) continue;
      seen.add(stat.ino);
      sum.files += 1;
      sum.bytes += stat.size;
      sum.allottedBytes += stat.blocks * 512;
    }
  }
  return sum;
}

const objectsOf = (host: FixtureHost) => room(join(host.physicalRoot, "composefs/objects"));
const stateOf = (host: FixtureHost, id: string) => room(join(host.physicalRoot, "state/deploy", id));
const difference = (after: ReturnType<typeof room>, before: ReturnType<typeof room>) => ({
  files: after.files - before.files,
  bytes: after.bytes - before.bytes,
  allottedBytes: after.allottedBytes - before.allottedBytes,
});

function known<Value>(value: Known<Value>, what: string): Exclude<Value, { readonly unknown: string }> {
  if (isKnown(value)) return value;
  return assert.fail(`${what} is unknown: ${(value as { unknown: string }).unknown}`);
}

const counted = ({ files, bytes }: { readonly files: number; readonly bytes: number }) => ({ files, bytes });

/** What the script says, as the plan must. */
function expectedTexts(script: ScriptedUpdate) {
  const { added = [], removed = [], changed = [], packages = [], conflicts = [] } = script;
  return {
    files: { added: [...added], removed: [...removed], changed: [UKI_IN_IMAGE, ...changed].sort() },
    packages: [...packages].sort(),
    conflicts: [...conflicts],
  };
}

function textsOf(plan: UpdatePlan) {
  const { added, removed, changed } = known(plan.files, "files");
  const [a, r, c] = [added, removed, changed].map((paths) => paths.map(displayText).sort());
  return {
    files: { added: a, removed: r, changed: c },
    packages: packageTexts(plan).sort(),
    conflicts: known(plan.etc, "etc").conflicts.map(({ path }) => displayText(path)),
  };
}

function packageTexts(plan: UpdatePlan): string[] {
  return known(plan.packages, "packages").flatMap(({ tool, changes }) => {
    if (!isKnown(changes)) return [`${tool}: ${(changes as { unknown: string }).unknown}`];
    const { added, removed, upgraded, downgraded } = changes;
    return [
      ...added.map(({ name, version }) => `added ${name} ${version}`),
      ...removed.map(({ name, version }) => `removed ${name} ${version}`),
      ...upgraded.map(({ name, from, to }) => `upgraded ${name} ${from.version} ${to.version}`),
      ...downgraded.map(({ name, from, to }) => `downgraded ${name} ${from.version} ${to.version}`),
    ];
  });
}

/** Files that the ESP has more than before, and those of the menu. */
function espFiles(host: FixtureHost): { path: string; bytes: number }[] {
  const found: { path: string; bytes: number }[] = [];
  for (const directory of ["EFI/Linux/bootc", "loader/entries"]) {
    for (const name of readdirSync(join(host.bootDirectory, directory)).sort()) {
      const path = `${directory}/${name}`;
      found.push({ path, bytes: lstatSync(join(host.bootDirectory, path)).size });
    }
  }
  return found;
}

async function expectNothingWritten(host: FixtureHost, run: () => Promise<void>): Promise<void> {
  const before = host.snapshot();
  await run();
  assert.deepEqual(host.snapshot(), before);
}

for (const script of UPDATES) {
  test(`plan and outcome: ${script.name}`, async () => {
    const { files = BASE, seal = {} } = script;
    using host = new FixtureHost();
    using twin = new FixtureHost();
    const system = deployed(host, script.host);
    const other = deployed(twin, script.host);
    const next = await host.image({ ...seal, files });
    for (const source of [next.reference, await chunked(host, next.reference)]) {
      await expectNothingWritten(host, async () => {
        const { host: read, update, options, servedBytes } = await opened(system, source, script);
        await using _ = update;
        const plan = await planFromRegistry(system.places, read, update, options);
        if (source === next.reference) {
          assert.equal(servedBytes(), 0);
          assert.equal(plan.fetch.certainty, "exact");
          assert.ok(!isKnown(plan.files));
          return;
        }
        assert.deepEqual(textsOf(plan), expectedTexts(script));
        // Tables, tar-split data and databases of packages were read, not the rest.
        assert.ok(servedBytes() < plan.fetch.layersBytes);
      });
    }
    const source = join(host.path, "chunked");
    await compare(script, { system, other, source: `oci:${source}:latest`, deploymentId: next.deploymentId });
  });
}

interface Pair {
  /** The one that is planned, and one like it that is updated without a plan. */
  readonly system: Deployed;
  readonly other: Deployed;
  readonly source: string;
  readonly deploymentId: string;
}

async function compare(script: ScriptedUpdate, { system, other, source, deploymentId }: Pair): Promise<void> {
  const announced = await planned(system, source, script, planFromRegistry);
  const fetched = await planned(system, source, script, planFetched);
  const objectsBefore = objectsOf(other.host);
  const served = await updated(other, source, script);
  const objects = difference(objectsOf(other.host), objectsBefore);
  const staged = stateOf(other.host, deploymentId);
  const bootRoom = () => room(join(other.host.bootDirectory, "EFI")).bytes;
  const bootBefore = bootRoom();
  // It collects boot files itself.
  await finalizeStaged(other.places, { etcPath: other.etcPath, events: silent });
  const bootCollected = bootBefore - bootRoom();
  const finalized = stateOf(other.host, deploymentId);
  const next = other.host.places(deploymentId);
  const collected = await collectHost(next, { dryRun: false, scope: "all", preparedImage: undefined, events: silent });
  // Of the fetched image: to the byte.
  assert.equal(fetched.fetch.bytes, served);
  assert.deepEqual(known(fetched.root.objects, "objects"), { ...objects, certainty: "exact" });
  const state = known(fetched.root.state, "state");
  assert.deepEqual([counted(state.staged), counted(state.finalized)], [counted(staged), counted(finalized)]);
  assert.ok(state.finalized.allottedBytes >= finalized.allottedBytes);
  const esp = known(fetched.esp, "esp");
  const outcome = espFiles(other.host);
  assert.deepEqual(
    outcome.filter(({ path }) => esp.bootFiles.some((file) => file.path === path) || path.startsWith("loader/")),
    [...esp.bootFiles, ...(esp.entries ?? []).toSorted((a, b) => ((a.path ?? "") < (b.path ?? "") ? -1 : 1))],
  );
  assert.deepEqual(textsOf(fetched), expectedTexts(script));
  const { added, removed } = known(fetched.boot, "boot").kernelArguments;
  assert.deepEqual([...added.map((text) => `+${text}`), ...removed.map((text) => `-${text}`)], script.arguments ?? []);
  assert.equal(fetched.to.deploymentId, deploymentId);
  const sum = (items: readonly { readonly bytes: number }[]) => items.reduce((bytes, item) => bytes + item.bytes, 0);
  assert.deepEqual(fetched.garbage, {
    deployments: [older],
    bytes: collected.bytes + bootCollected,
    bootBytes: sum(collected.bootFiles) + bootCollected,
    stateBytes: sum(collected.state),
    objects: collected.images?.report.objectsRemoved,
    objectsBytes: collected.images?.report.objectsBytes,
  });
  assert.ok(collected.bytes > 33_333);
  // From the registry: bounds, and the same where they are exact.
  assert.ok(announced.fetch.bytes >= served, `${announced.fetch.bytes} < ${served}`);
  if (announced.fetch.certainty === "exact") assert.equal(announced.fetch.bytes, served);
  const bound = known(announced.root.objects, "objects");
  assert.equal(bound.certainty, "at-most");
  assert.ok(
    bound.bytes >= objects.bytes && bound.allottedBytes >= objects.allottedBytes,
    JSON.stringify([bound, objects]),
  );
  assert.deepEqual(announced.root.state, fetched.root.state);
  assert.deepEqual(
    known(announced.esp, "esp").bootFiles.map(({ bytes }) => bytes),
    esp.bootFiles.map(({ bytes }) => bytes),
  );
  // What was fetched for the plan is not fetched again.
  assert.equal(await updated(system, source, script), 0);
}

async function planned(
  system: Deployed,
  source: string,
  script: ScriptedUpdate,
  make: typeof planFromRegistry,
): Promise<UpdatePlan> {
  const { host, update, options } = await opened(system, source, script);
  await using _ = update;
  return await make(system.places, host, update, options);
}

/** @returns bytes that the registry served */
async function updated(system: Deployed, source: string, script: ScriptedUpdate): Promise<number> {
  const { host, update, options, servedBytes } = await opened(system, source, script);
  await using _ = update;
  const rest = { downloadOnly: false, startFinalizer: async () => {} };
  assert.equal((await updateHost(system.places, host, update, { ...options, ...rest })).result, "staged");
  return servedBytes();
}
