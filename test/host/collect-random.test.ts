/**
 * Garbage collection of many random hosts: a dry run is exact to the byte, what is in use stays whole, what is not goes. What
 * is in use is told here by the recipe of each host, not by reading it.
 */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { EntryStore } from "../../src/bootloader/index.ts";
import { writeStagedRecord } from "../../src/deployment/index.ts";
import { silent } from "../../src/events/index.ts";
import { collectHost, isNoOp, menuFiles, setPinned } from "../../src/host/index.ts";
import { readStoredImage } from "../../src/imagestore/index.ts";
import { checkRepository, verifyImage } from "../../src/repository/index.ts";
import { ManyDeployments } from "./many-deployments.ts";

const COUNT = 4;
const RUNS = 25;
const FOREIGN: Readonly<Record<string, string>> = {
  "loader/entries/windows.conf": "version 11\nefi /EFI/Microsoft/Boot/bootmgfw.efi\n",
  "loader/addons/global.addon.efi.off": "x",
  "EFI/Microsoft/Boot/bootmgfw.efi": "windows",
  "EFI/Linux/arch.efi": "arch",
};

let made: ManyDeployments;
let manifests: readonly string[];
before(async () => {
  made = await ManyDeployments.make(COUNT);
  manifests = made.ids.map(
    (id) => /manifest_digest = (\S+)/.exec(readFileSync(made.host.originFile(id), "utf8"))?.[1] ?? "",
  );
});
after(() => made[Symbol.dispose]());

const deployment = fc.record({
  inMenu: fc.boolean(),
  inStaged: fc.boolean(),
  isPinned: fc.boolean(),
  origin: fc.constantFrom("good", "good", "rubbish", "absent"),
  isTagged: fc.constantFrom(true, true, false),
  stateBytes: fc.integer({ min: 0, max: 9000 }),
  addonBytes: fc.option(fc.integer({ min: 0, max: 5000 }), { nil: undefined }),
});
const recipe = fc.record({
  deployments: fc.array(deployment, { minLength: COUNT, maxLength: COUNT }),
  booted: fc.integer({ min: 0, max: COUNT - 1 }),
  bootsSecondImage: fc.boolean(),
  record: fc.constantFrom("first", "absent", "stranger"),
  strangers: fc.uniqueArray(fc.constantFrom("uki", "kernel", "state", "temporary", "object"), { maxLength: 5 }),
});
type Recipe = typeof recipe extends fc.Arbitrary<infer T> ? T : never;

const STRANGER = "abcdef0123456789".repeat(8);
const esp = (...path: string[]) => join(made.host.bootDirectory, ...path);
const state = (id: string) => join(made.host.physicalRoot, "state/deploy", id);
const uki = (id: string) => esp(`EFI/Linux/bootc/bootc_composefs-${id}.efi`);

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Whether an entry or a record leads to the deployment, running or not. */
function isLedTo({ deployments, record }: Recipe, index: number): boolean {
  const { inMenu, inStaged, isPinned, origin } = deployments[index] ?? assert.fail();
  return inMenu || (inStaged && record === "first") || origin === "rubbish" || (isPinned && origin === "good");
}

/** Makes the host, and returns which deployments are in use. */
async function build(from: Recipe): Promise<ReadonlySet<number>> {
  const { deployments, booted, record, strangers } = from;
  const { host, ids } = made;
  made.restore();
  const places = host.places(made.id(booted));
  const indexes = deployments.map((_, index) => index);
  const staged = indexes.filter((index) => deployments[index]?.inStaged);
  const stored = new EntryStore(host.bootDirectory, "systemd-boot").list("live").entries;
  const entryOf = (index: number) => {
    const entry = stored.find(({ deploymentId }) => deploymentId === ids[index]);
    if (entry === undefined) throw new Error("every deployment has an entry");
    return entry;
  };
  if (staged.length > 0) {
    mkdirSync(esp("loader/entries.staged"));
    for (const { fileName, text } of menuFiles(staged.map(entryOf)))
      write(esp("loader/entries.staged", fileName), text);
  }
  const [first] = staged;
  const stagedId = record === "first" ? (first === undefined ? STRANGER : made.id(first)) : STRANGER;
  if (record !== "absent") writeStagedRecord(host.runDirectory, { deploymentId: stagedId, downloadOnly: false });
  host.menu(...indexes.filter((index) => deployments[index]?.inMenu).map((index) => made.id(index)));
  for (const [path, content] of Object.entries(FOREIGN)) write(esp(path), content);
  const inUse = new Set([booted]);
  for (const [index, { isPinned, origin, isTagged, stateBytes, addonBytes }] of deployments.entries()) {
    const id = made.id(index);
    if (isPinned) setPinned(places, id, true);
    write(join(state(id), "etc/file"), "s".repeat(stateBytes));
    if (addonBytes !== undefined) write(`${uki(id)}.extra.d/notes.txt`, "a".repeat(addonBytes));
    if (origin === "rubbish") writeFileSync(host.originFile(id), "rubbish");
    if (origin === "absent") rmSync(host.originFile(id));
    if (!isTagged)
      rmSync(join(host.physicalRoot, "composefs/streams/refs/oci", `localhost%2Fbootc-${manifests[index]}`));
    if (isLedTo(from, index)) inUse.add(index);
  }
  if (strangers.includes("uki")) write(uki(STRANGER), "u".repeat(17));
  if (strangers.includes("kernel")) write(esp(`EFI/Linux/bootc_composefs-${STRANGER}/vmlinuz`), "k".repeat(19));
  if (strangers.includes("state")) write(join(state(STRANGER), "etc/a"), "e".repeat(23));
  if (strangers.includes("temporary")) write(join(state(`.sealroot-state-${"5".repeat(16)}`), "a"), "t".repeat(29));
  if (strangers.includes("object")) {
    using repository = (await host.repository()).repository;
    repository.objects.ensure(Buffer.alloc(31, "o"));
  }
  return inUse;
}

const isKernel = (path: string) => path.startsWith("EFI/Linux/bootc_composefs-");

async function checkHost(from: Recipe): Promise<void> {
  const { host } = made;
  const inUse = await build(from);
  const last = COUNT - 1;
  const bootedImage = from.booted === last && from.bootsSecondImage ? made.secondImage : made.id(from.booted);
  const places = host.places(bootedImage);
  const before = host.snapshot();
  const dry = await collectHost(places, { dryRun: true, scope: "all", preparedImage: undefined, events: silent });
  assert.deepEqual(host.snapshot(), before);
  const run = await collectHost(places, { dryRun: false, scope: "all", preparedImage: undefined, events: silent });
  assert.deepEqual({ ...run, dryRun: true }, dry);
  assert.equal(run.isIncomplete, false);

  // Exact: what is gone is what was said, and nothing else was written.
  const after = host.snapshot();
  const said = [
    ...run.bootFiles.map(({ path }) => esp(path)),
    ...run.state.map(({ path }) => join(host.physicalRoot, path)),
    ...(run.images?.report.paths ?? []).map((path) => join(host.physicalRoot, "composefs", path)),
    ...(run.staleRecord === undefined ? [] : [join(host.runDirectory, "composefs/staged-deployment")]),
  ];
  const gone = [...before.keys()].filter((path) => !after.has(path));
  const isSaid = (path: string) => said.some((item) => path === item || path.startsWith(`${item}/`));
  assert.deepEqual(
    gone.filter((path) => !isSaid(path)),
    [],
  );
  assert.deepEqual(
    said.filter((path) => after.has(path)),
    [],
  );
  const isCounted = (path: string) => !path.startsWith(host.runDirectory) && !before.get(path)?.startsWith("-> ");
  const bytes = gone
    .filter(isCounted)
    .map((path) => (before.get(path) === "directory" ? 0 : (before.get(path)?.length ?? 0)));
  assert.equal(
    run.bytes,
    bytes.reduce((sum, length) => sum + length, 0),
  );
  const appeared = [...after.keys()].filter((path) => !before.has(path));
  const tags = (run.images?.tagged ?? []).map((digest) => `localhost%2Fbootc-${digest}`);
  assert.deepEqual(appeared.map((path) => path.slice(path.lastIndexOf("/") + 1)).sort(), [...tags].sort());
  for (const [path, content] of after) if (before.has(path)) assert.equal(content, before.get(path), path);

  // Safe, and thorough. Where the running image belongs to no deployment that is known, a UKI that cannot be read may be the
  // one that started it; its deployment stays, and every image where nothing says which one it has.
  const mayRun = bootedImage === made.secondImage && !isLedTo(from, last) && from.strangers.includes("uki");
  const hasEveryImage = mayRun && from.strangers.includes("state");
  using repository = (await host.repository()).repository;
  assert.deepEqual((await checkRepository(repository)).errors, []);
  for (const [index, id] of made.ids.entries()) {
    const stored = await readStoredImage(repository, manifests[index] ?? "");
    assert.equal(existsSync(uki(id)), inUse.has(index), `UKI ${index}`);
    assert.equal(existsSync(state(id)), inUse.has(index), `state ${index}`);
    assert.equal(stored?.config !== undefined, inUse.has(index) || hasEveryImage, `image ${index}`);
    if (!inUse.has(index)) continue;
    for (const image of index === last ? [id, made.secondImage] : [id]) verifyImage(repository, image);
  }
  for (const [path, content] of Object.entries(FOREIGN)) assert.equal(readFileSync(esp(path), "utf8"), content);
  assert.equal(existsSync(uki(STRANGER)), mayRun);
  assert.equal(existsSync(state(STRANGER)), mayRun && from.strangers.includes("state"));
  const kernels = gone.filter((path) => isKernel(path.slice(esp("").length)));
  assert.ok(kernels.length === 0 || from.strangers.includes("kernel"));
  repository.close();
  assert.equal(
    isNoOp(await collectHost(places, { dryRun: false, scope: "all", preparedImage: undefined, events: silent })),
    true,
  );
}

test("of random hosts a dry run is exact, what is in use stays whole, and the rest goes", async () => {
  await fc.assert(fc.asyncProperty(recipe, checkHost), { numRuns: RUNS });
});
