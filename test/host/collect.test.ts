/** Garbage collection of a host: what goes, what stays, and what is said of it. */

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { formatBootEntry, parseBootEntry } from "../../src/bls/index.ts";
import { EntryStore } from "../../src/bootloader/index.ts";
import { readStagedRecord, writeStagedRecord } from "../../src/deployment/index.ts";
import { silent } from "../../src/events/index.ts";
import {
  collectHost,
  collectionJson,
  collectionLines,
  type HostCollection,
  type HostPlaces,
  isNoOp,
  setPinned,
} from "../../src/host/index.ts";
import { readStoredImage } from "../../src/imagestore/index.ts";
import { checkRepository, verifyImage } from "../../src/repository/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { undeletable } from "../platform/undeletable.ts";
import { ManyDeployments } from "./many-deployments.ts";

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/gc.json"), "utf8"));
const STRANGER = "0123456789abcdef".repeat(8);

let made: ManyDeployments;
before(async () => {
  made = await ManyDeployments.make(3);
});
after(() => made[Symbol.dispose]());
beforeEach(() => made.restore());

const esp = (...path: string[]) => join(made.host.bootDirectory, ...path);
const root = (...path: string[]) => join(made.host.physicalRoot, ...path);
const uki = (id: string) => `EFI/Linux/bootc/bootc_composefs-${id}.efi`;
const state = (id: string) => `state/deploy/${id}`;

function write(path: string, content = "x"): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
}

/** As a dry run and in earnest: they say the same, and what they say is what happens. */
async function collect(places: HostPlaces, scope: "all" | "boot" = "all"): Promise<HostCollection> {
  const { host } = made;
  const before = host.snapshot();
  const dry = await collectHost(places, { dryRun: true, scope, preparedImage: undefined, events: silent });
  assert.deepEqual(host.snapshot(), before);
  const run = await collectHost(places, { dryRun: false, scope, preparedImage: undefined, events: silent });
  assert.deepEqual({ ...run, dryRun: true }, dry);
  assert.deepEqual(faultsOf(SCHEMA, JSON.parse(JSON.stringify(collectionJson(run)))), []);
  const again = await collectHost(places, { dryRun: false, scope, preparedImage: undefined, events: silent });
  if (run.problems.length === 0) assert.equal(isNoOp(again), true, collectionLines(again).join("\n"));
  return run;
}

const paths = ({ bootFiles, state: items }: HostCollection) => [...bootFiles, ...items].map(({ path }) => path);

async function manifestOf(id: string): Promise<string> {
  const text = readFileSync(made.host.originFile(id), "utf8");
  return /manifest_digest = (\S+)/.exec(text)?.[1] ?? "";
}

/** Whether the deployment could still be booted, and told about. */
async function isWhole(id: string, manifest: string, images: readonly string[] = [id]): Promise<boolean> {
  using repository = (await made.host.repository()).repository;
  if (!existsSync(esp(uki(id))) || !existsSync(root(state(id), "etc"))) return false;
  for (const image of images) verifyImage(repository, image);
  return (await readStoredImage(repository, manifest))?.config !== undefined;
}

async function faults(): Promise<number> {
  using repository = (await made.host.repository()).repository;
  return (await checkRepository(repository)).errors.length;
}

test("a host where everything is in use loses nothing", async () => {
  const outcome = await collect(made.host.places(made.id(0)));
  assert.equal(isNoOp(outcome), true);
  assert.deepEqual(collectionLines(outcome), [
    "Boot files: 0 removed (0 bytes)",
    "State: 0 removed (0 bytes)",
    "Objects: 0 removed (0 bytes)",
    "Total: 0 bytes",
  ]);
});

test("what no entry leads to goes from ESP, state and repository", async () => {
  const { host } = made;
  const manifests = await Promise.all(made.ids.map(manifestOf));
  host.menu(made.id(0), made.id(1));
  write(root(state(made.id(2)), "etc/large"), "l".repeat(5000));
  write(esp(`${uki(made.id(2))}.extra.d/a.addon.efi`), "addon");
  const ukiBytes = readFileSync(esp(uki(made.id(2)))).length;
  const originBytes = readFileSync(host.originFile(made.id(2))).length;
  const outcome = await collect(host.places(made.id(0)));
  assert.deepEqual(outcome.problems, []);
  assert.deepEqual(outcome.bootFiles, [
    { path: uki(made.id(2)), bytes: ukiBytes },
    { path: `${uki(made.id(2))}.extra.d`, bytes: 5 },
  ]);
  assert.deepEqual(outcome.state, [{ path: state(made.id(2)), bytes: originBytes + 5000 }]);
  assert.ok((outcome.images?.report.imagesPruned ?? 0) >= 2);
  assert.equal(outcome.bytes, ukiBytes + 5 + originBytes + 5000 + (outcome.images?.report.objectsBytes ?? 0));
  using repository = (await host.repository()).repository;
  assert.equal(await readStoredImage(repository, manifests[2] ?? ""), undefined);
  for (const index of [0, 1]) assert.equal(await isWhole(made.id(index), manifests[index] ?? ""), true);
  assert.equal(await faults(), 0);
});

test("both images of a deployment stay, whichever runs", async () => {
  const { host } = made;
  const manifest = await manifestOf(made.id(2));
  host.menu(made.id(0), made.id(2));
  // As a host leaves it whose images were made by a program that does not link the second one.
  for (const booted of [made.id(0), made.id(2), made.secondImage]) {
    await collect(host.places(booted));
    assert.equal(await isWhole(made.id(2), manifest, [made.id(2), made.secondImage]), true, booted);
  }
  assert.equal(existsSync(esp(uki(made.id(1)))), false);
});

test("what runs stays, without an entry and from the second image too", async () => {
  const { host } = made;
  const manifest = await manifestOf(made.id(2));
  host.menu(made.id(0));
  const outcome = await collect(host.places(made.secondImage));
  assert.deepEqual(paths(outcome), [uki(made.id(1)), state(made.id(1))]);
  assert.equal(await isWhole(made.id(2), manifest, [made.id(2), made.secondImage]), true);
});

test("what a soft reboot would start stays", async () => {
  const { host } = made;
  const manifest = await manifestOf(made.id(1));
  host.menu(made.id(0));
  const options = { dryRun: false, scope: "all", preparedImage: made.id(1), events: silent } as const;
  const outcome = await collectHost(host.places(made.id(0)), options);
  assert.deepEqual(paths(outcome), [uki(made.id(2)), state(made.id(2))]);
  assert.equal(await isWhole(made.id(1), manifest), true);
});

test("pinned deployments stay, without an entry too", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  const manifest = await manifestOf(made.id(2));
  setPinned(places, made.id(2), true);
  host.menu(made.id(0));
  assert.deepEqual(paths(await collect(places)), [uki(made.id(1)), state(made.id(1))]);
  assert.equal(await isWhole(made.id(2), manifest, [made.id(2), made.secondImage]), true);
});

test("a staged deployment stays; what was staged before a power cut does not", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  const manifest = await manifestOf(made.id(1));
  host.menu(made.id(1), made.id(0));
  renameSync(esp("loader/entries"), esp("loader/entries.staged"));
  mkdirSync(esp("loader/entries"));
  host.menu(made.id(0));
  writeStagedRecord(host.runDirectory, { deploymentId: made.id(1), downloadOnly: true });
  assert.deepEqual(paths(await collect(places)), [uki(made.id(2)), state(made.id(2))]);
  assert.equal(await isWhole(made.id(1), manifest), true);
  rmSync(join(host.runDirectory, "composefs"), { recursive: true });
  const after = await collect(places);
  assert.deepEqual(paths(after), ["loader/entries.staged", uki(made.id(1)), state(made.id(1))]);
});

test("a record that no staged entry fits is removed; one that cannot be read keeps what is staged", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  host.menu(made.id(0));
  writeStagedRecord(host.runDirectory, { deploymentId: made.id(1), downloadOnly: false });
  const stale = await collect(places);
  assert.equal(stale.staleRecord, made.id(1));
  assert.equal(readStagedRecord(host.runDirectory), undefined);
  assert.ok(paths(stale).includes(state(made.id(1))));
  made.restore();
  host.menu(made.id(0));
  const text = formatBootEntry(
    parseBootEntry(`version 1\nefi /EFI/Linux/bootc/bootc_composefs-${made.id(1)}.efi\nsort-key x\n`),
  );
  new EntryStore(host.bootDirectory, "systemd-boot").stage([{ fileName: "bootc_os-1-1.conf", text }]);
  write(join(host.runDirectory, "composefs/staged-deployment"), "rubbish");
  const kept = await collect(places);
  assert.deepEqual(paths(kept), [uki(made.id(2)), state(made.id(2))]);
  assert.deepEqual(
    kept.problems.map(({ subject, error }) => [subject, error.code]),
    [["staged", "corrupt"]],
  );
});

test("kernels of Type 1 entries are shared: a directory that any entry names stays, its deployment's state need not", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  host.menu(made.id(0));
  for (const id of [made.id(1), made.id(2), STRANGER]) {
    rmSync(esp(uki(id)), { force: true });
    for (const name of ["vmlinuz", "initrd"]) write(esp(`EFI/Linux/bootc_composefs-${id}/${name}`), "k".repeat(10));
  }
  const kernels = `/EFI/Linux/bootc_composefs-${made.id(2)}`;
  write(
    esp("loader/entries/bootc_type1-1-0.conf"),
    `version 1\nlinux ${kernels}/vmlinuz\ninitrd ${kernels}/initrd\noptions rw composefs=${made.id(1)}\n`,
  );
  const outcome = await collect(places);
  assert.deepEqual(outcome.bootFiles, [
    ...[STRANGER, made.id(1)].sort().map((id) => ({ path: `EFI/Linux/bootc_composefs-${id}`, bytes: 20 })),
  ]);
  assert.deepEqual(
    outcome.state.map(({ path }) => path),
    [state(made.id(2))],
  );
  using repository = (await host.repository()).repository;
  verifyImage(repository, made.id(1));
  assert.throws(() => verifyImage(repository, made.secondImage), { code: "not-found" });
});

test("a pinned deployment without an entry may need any kernel", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  host.menu(made.id(0));
  const kernel = esp(`EFI/Linux/bootc_composefs-${STRANGER}/vmlinuz`);
  write(kernel);
  const origin = host.originFile(made.id(1));
  writeFileSync(origin, readFileSync(origin, "utf8").replace("boot_type = uki", "boot_type = bls"));
  setPinned(places, made.id(1), true);
  await collect(places);
  assert.equal(existsSync(kernel), true);
  setPinned(places, made.id(1), false);
  await collect(places);
  assert.equal(existsSync(kernel), false);
});

test("with GRUB the kernels are beside the entries", async () => {
  const { host } = made;
  host.menu(made.id(0));
  for (const id of [made.id(0), STRANGER]) write(esp(`bootc_composefs-${id}/vmlinuz`), "kernel");
  const outcome = await collect(host.places(made.id(0), { bootLoader: "grub" }));
  assert.ok(outcome.bootFiles.some(({ path }) => path === `bootc_composefs-${STRANGER}`));
  assert.equal(existsSync(esp(`bootc_composefs-${made.id(0)}/vmlinuz`)), true);
});

test("files of other systems, global add-ons and names without the prefix are not seen", async () => {
  const { host } = made;
  host.menu(made.id(0));
  const foreign = [
    "EFI/BOOT/BOOTX64.EFI",
    "EFI/Microsoft/Boot/bootmgfw.efi",
    "EFI/Linux/other.efi",
    `EFI/Linux/${STRANGER}.efi`,
    `EFI/Linux/bootc/${STRANGER}.efi`,
    `EFI/Linux/bootc/bootc_composefs-${STRANGER}.efi.bak`,
    "EFI/Linux/bootc/notes.txt",
    "EFI/Linux/bootc_composefs-short/vmlinuz",
    "loader/loader.conf",
    "loader/random-seed",
    "loader/entries/windows.conf",
    "loader/entries.old/x.conf",
  ];
  for (const path of foreign) write(esp(path));
  write(root("state/deploy/notes/file"));
  write(root("state/os/default/var/lib/data"));
  const outcome = await collect(host.places(made.id(0)));
  assert.deepEqual(
    outcome.problems.map(({ subject }) => subject),
    ["windows.conf"],
  );
  for (const path of foreign) assert.equal(existsSync(esp(path)), true, path);
  assert.equal(existsSync(root("state/deploy/notes/file")), true);
  assert.equal(existsSync(root("state/os/default/var/lib/data")), true);
  assert.equal(existsSync(esp(uki(made.id(1)))), false);
});

test("what killed work left goes", async () => {
  const { host } = made;
  const names = ["boot", "state", "gone"].map((purpose, index) => `.sealroot-${purpose}-${String(index).repeat(16)}`);
  const [bootName = "", stateName = "", goneName = ""] = names;
  write(esp("EFI/Linux/bootc", bootName), "b".repeat(7));
  write(esp("loader", goneName, "x.conf"), "e".repeat(3));
  write(root("state/deploy", stateName, "etc/passwd"), "p".repeat(11));
  const outcome = await collect(host.places(made.id(0)));
  assert.deepEqual(outcome.bootFiles, [
    { path: `loader/${goneName}`, bytes: 3 },
    { path: `EFI/Linux/bootc/${bootName}`, bytes: 7 },
  ]);
  assert.deepEqual(outcome.state, [{ path: `state/deploy/${stateName}`, bytes: 11 }]);
  assert.equal(outcome.bytes, 21);
});

test("a deployment whose record cannot be read stays with its image", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  const manifest = await manifestOf(made.id(1));
  host.menu(made.id(0));
  writeFileSync(host.originFile(made.id(1)), "rubbish");
  const outcome = await collect(places);
  assert.deepEqual(paths(outcome), [uki(made.id(2)), state(made.id(2))]);
  assert.deepEqual(
    outcome.problems.map(({ subject, error }) => [subject, error.code]),
    [[made.id(1), "corrupt"]],
  );
  assert.equal(await isWhole(made.id(1), manifest), true);
  assert.equal(outcome.isIncomplete, false);
});

test("a state directory without a record is what an interrupted staging left", async () => {
  const { host } = made;
  host.menu(made.id(0), made.id(1));
  rmSync(host.originFile(made.id(2)));
  write(root(state(STRANGER), "etc/x"));
  const outcome = await collect(host.places(made.id(0)));
  assert.deepEqual(
    outcome.state.map(({ path }) => path),
    [state(made.id(2)), state(STRANGER)].sort(),
  );
});

test("an entry that cannot be read keeps what it names, and everything when it names nothing", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  const manifest = await manifestOf(made.id(1));
  host.menu(made.id(0));
  const broken = esp("loader/entries/broken.conf");
  writeFileSync(broken, `title no version\nefi /EFI/Linux/bootc/BOOTC_COMPOSEFS-${made.id(1).toUpperCase()}.EFI\n`);
  assert.deepEqual(paths(await collect(places)), [uki(made.id(2)), state(made.id(2))]);
  assert.equal(await isWhole(made.id(1), manifest), true);
  made.restore();
  host.menu(made.id(0));
  // Another system's: what it starts has no name of ours.
  writeFileSync(broken, "rubbish");
  assert.equal(paths(await collect(places)).length, 4);
  made.restore();
  host.menu(made.id(0));
  const before = host.snapshot();
  truncateSync(esp("loader/entries/bootc_testos-1.0-1.conf"), 20);
  const outcome = await collectHost(places, { dryRun: false, scope: "all", preparedImage: undefined, events: silent });
  assert.equal(isNoOp(outcome), true);
  assert.equal(outcome.isIncomplete, true);
  assert.equal(host.snapshot().size, before.size);
});

test("a UKI that cannot be read keeps all images", async () => {
  const { host } = made;
  host.menu(made.id(0), made.id(1));
  writeFileSync(esp(uki(made.id(1))), "rubbish");
  const outcome = await collect(host.places(made.id(0)));
  assert.equal(outcome.images?.report.imagesPruned, 0);
  assert.deepEqual(paths(outcome), [uki(made.id(2)), state(made.id(2))]);
  assert.deepEqual(
    outcome.problems.map(({ subject }) => subject),
    [`/${uki(made.id(1))}`],
  );
});

test("images named by add-ons are in use", async () => {
  const { host } = made;
  host.menu(made.id(0));
  // A UKI is an add-on with more sections.
  const bytes = readFileSync(esp(uki(made.id(2))));
  for (const path of [`${uki(made.id(0))}.extra.d/a.addon.efi`, "loader/addons/b.addon.efi"]) {
    mkdirSync(join(esp(path), ".."), { recursive: true });
    writeFileSync(esp(path), bytes);
    await collect(host.places(made.id(0)));
    using repository = (await host.repository()).repository;
    for (const id of [made.id(2), made.secondImage]) verifyImage(repository, id);
    rmSync(esp(path));
  }
  await collect(host.places(made.id(0)));
  using repository = (await host.repository()).repository;
  assert.throws(() => verifyImage(repository, made.id(2)), { code: "not-found" });
});

test("tags: those of the host are made and dropped, all others stay", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  const manifests = await Promise.all(made.ids.map(manifestOf));
  host.menu(made.id(0), made.id(1));
  const tags = root("composefs/streams/refs/oci");
  const file = (digest: string) => join(tags, `localhost%2Fbootc-${digest}`);
  rmSync(file(manifests[1] ?? ""));
  {
    using repository = (await host.repository()).repository;
    const { tagImage } = await import("../../src/imagestore/index.ts");
    for (const name of ["mine:1", "localhost/bootc-mine"]) await tagImage(repository, manifests[2] ?? "", name);
  }
  const outcome = await collect(places);
  assert.deepEqual(outcome.images?.tagged, [manifests[1]]);
  const kept = [0, 1].map((index) => `localhost%2Fbootc-${manifests[index]}`);
  assert.deepEqual(readdirSync(tags).sort(), [...kept, "localhost%2Fbootc-mine", "mine:1"].sort());
  // Somebody else has a name for the image: it is still there, the deployment is not.
  assert.equal(existsSync(esp(uki(made.id(2)))), false);
  using repository = (await host.repository()).repository;
  assert.notEqual(await readStoredImage(repository, manifests[2] ?? ""), undefined);
});

test("what cannot be removed is reported, and the rest goes", async () => {
  const { host } = made;
  const places = host.places(made.id(0));
  host.menu(made.id(0));
  const held = esp(uki(made.id(1)));
  {
    using _ = undeletable(held);
    const outcome = await collectHost(places, {
      dryRun: false,
      scope: "all",
      preparedImage: undefined,
      events: silent,
    });
    assert.deepEqual(paths(outcome).includes(uki(made.id(1))), false);
    assert.deepEqual(
      outcome.problems.map(({ subject, error }) => [subject, error.message.startsWith("Cannot remove EFI/")]),
      [[uki(made.id(1)), true]],
    );
    assert.equal(outcome.isIncomplete, true);
    assert.equal(existsSync(root(state(made.id(1)))), false);
  }
  assert.deepEqual(paths(await collect(places)), [uki(made.id(1))]);
});

test("without a repository the rest is collected", async () => {
  const { host } = made;
  host.menu(made.id(0));
  rmSync(root("composefs"), { recursive: true });
  const outcome = await collect(host.places(made.id(0)));
  assert.equal(paths(outcome).length, 4);
  assert.equal(outcome.images, undefined);
  assert.deepEqual(
    outcome.problems.map(({ subject }) => subject),
    ["repository"],
  );
});

test("a repository that others use is waited for, as long as was asked", async () => {
  const { host } = made;
  host.menu(made.id(0));
  const options = { dryRun: false, scope: "all", preparedImage: undefined, lockTimeoutMs: 50, events: silent } as const;
  {
    using _ = (await host.repository()).repository;
    const outcome = await collectHost(host.places(made.id(0)), options);
    assert.deepEqual(
      outcome.problems.map(({ subject, error }) => [subject, error.code]),
      [["repository", "timeout"]],
    );
    assert.equal(paths(outcome).length, 4);
  }
  const outcome = await collectHost(host.places(made.id(0)), options);
  assert.ok((outcome.images?.report.objectsRemoved ?? 0) > 0);
});

test("boot files alone: no state, no repository", async () => {
  const { host } = made;
  host.menu(made.id(0));
  const outcome = await collect(host.places(made.id(0)), "boot");
  assert.deepEqual(paths(outcome), [made.id(1), made.id(2)].sort().map(uki));
  assert.equal(outcome.images, undefined);
  assert.equal(existsSync(root(state(made.id(1)))), true);
});

test("without boot entries to look at nothing is garbage", async () => {
  const { host } = made;
  const options = { dryRun: false, scope: "all", preparedImage: undefined, events: silent } as const;
  await assert.rejects(collectHost(host.places(made.id(0), { bootDirectory: undefined }), options), {
    code: "not-found",
    message: "Cannot collect garbage: the boot entries of this host were not found",
  });
  rmSync(esp("loader/entries"), { recursive: true });
  writeFileSync(esp("loader/entries"), "");
  const before = host.snapshot();
  await assert.rejects(collectHost(host.places(made.id(0)), options));
  assert.deepEqual(host.snapshot(), before);
});
