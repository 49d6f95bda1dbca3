/** Checking and repairing hosts that are folders: whatever is damaged, afterwards every byte is as it was. */

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ukiPath } from "../../src/bls/index.ts";
import { silent } from "../../src/events/index.ts";
import { openMountedHost } from "../../src/host/index.ts";
import { checkHost, faultText, type HostRepair, repairHost, repairJson } from "../../src/repair/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { run } from "../cli/run-verb.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { baseFiles, type1Files, unsealedImage } from "../install/sealed-image.ts";

interface Made {
  readonly host: FixtureHost;
  /** In the order of the menu; the first one runs. */
  readonly ids: readonly string[];
  readonly sources: readonly string[];
}

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/fsck.json"), "utf8"));

/** A host with deployments that differ in a large and a small file. */
async function made(host: FixtureHost, count = 2): Promise<Made> {
  const ids: string[] = [];
  for (let number = 0; number < count; number++) {
    const files = [100, 90_000].map((size) => ({ path: `usr/bin/n${size}`, content: `${number}`.repeat(size) }));
    ids.push(await host.add({ files }));
  }
  host.menu(...ids);
  const sources = ids.map((_, index) => `oci:${host.path}/image-${index + 1}/layout:latest`);
  return { host, ids, sources };
}

function repair({ host, ids, sources }: Made, from: readonly string[] = sources): Promise<HostRepair> {
  return repairHost(host.places(ids[0]), { sources: from, policy: "accept-anything", events: silent });
}

const check = ({ host, ids }: Made) => checkHost(host.places(ids[0]), silent);

function objectFiles(host: FixtureHost): string[] {
  const directory = join(host.physicalRoot, "composefs/objects");
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function flipByte(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

const entries = (host: FixtureHost) => readdirSync(join(host.bootDirectory, "loader/entries")).sort();
const entryPath = (host: FixtureHost, name: string) => join(host.bootDirectory, "loader/entries", name);
const ukiOf = (host: FixtureHost, id = "") => join(host.bootDirectory, ukiPath(id));

const varLink = (host: FixtureHost, id = "") => join(host.physicalRoot, "state/deploy", id, "var");
const metaOf = (host: FixtureHost) => join(host.physicalRoot, "composefs/meta.json");

function failuresOf({ failures }: HostRepair): string[] {
  return failures.map((error) => [error.message, ...(error.data.output ?? [])].join(" | "));
}

test("a host as it was installed has nothing wrong, and repair changes nothing", async () => {
  using host = await FixtureHost.make();
  const system = await made(host);
  const before = host.snapshot();
  const { checked, faults, notes } = await check(system);
  assert.deepEqual([faults.map(faultText), notes], [[], []]);
  assert.equal(checked.objects, objectFiles(host).length);
  assert.deepEqual([checked.deployments, checked.bootFiles, checked.images], [2, 2, 4]);
  const repaired = await repair(system, []);
  assert.deepEqual([repaired.before.faults, repaired.after.faults, repaired.failures], [[], [], []]);
  assert.deepEqual([repaired.sources, repaired.rebootNeeded], [[], false]);
  assert.deepEqual(host.snapshot(), before);
});

test("every object damaged or gone: all are fetched again, byte for byte", async () => {
  for (const damage of [flipByte, (path: string) => truncateSync(path, 10), (path: string) => rmSync(path)]) {
    using host = await FixtureHost.make();
    const system = await made(host);
    const before = host.snapshot();
    for (const path of objectFiles(host)) damage(path);
    const { faults } = await check(system);
    assert.ok(faults.length > 0 && faults.some(({ repairable }) => repairable));
    const repaired = await repair(system);
    assert.deepEqual(failuresOf(repaired), []);
    assert.deepEqual(repaired.after.faults.map(faultText), []);
    assert.deepEqual(repaired.sources, system.sources);
    assert.equal(repaired.rebootNeeded, true);
    assert.deepEqual(host.snapshot(), before);
  }
});

const withFsck = (report: HostRepair) => {
  assert.deepEqual(faultsOf(SCHEMA, repairJson(report)), []);
  return report;
};

test("what is damaged outside the repository is mended from it, without any source", async () => {
  const damages: readonly [string, string, (system: Made) => void][] = [
    ["a UKI is damaged", "boot-file-damaged", ({ host, ids }) => flipByte(ukiOf(host, ids[1]))],
    ["a UKI is empty", "boot-file-damaged", ({ host, ids }) => writeFileSync(ukiOf(host, ids[0]), "")],
    ["a UKI is gone", "boot-file-missing", ({ host, ids }) => rmSync(ukiOf(host, ids[0]))],
    ["the first entry is gone", "entry-missing", ({ host }) => rmSync(entryPath(host, entries(host)[1] ?? ""))],
    ["an entry is empty", "entry-unusable", ({ host }) => writeFileSync(entryPath(host, entries(host)[0] ?? ""), "")],
    [
      "all entries are gone",
      "entry-missing",
      ({ host }) => {
        for (const name of entries(host)) rmSync(entryPath(host, name));
      },
    ],
    [
      "an origin file states another boot digest",
      "origin-boot-digest",
      ({ host, ids }) => {
        const path = host.originFile(ids[1] ?? "");
        writeFileSync(path, readFileSync(path, "utf8").replace(/^digest\s*=.*$/m, `digest=${"0".repeat(64)}`));
      },
    ],
    ["the link to /var is gone", "state-damaged", ({ host, ids }) => rmSync(varLink(host, ids[1]))],
    [
      "the link to /var leads elsewhere",
      "state-damaged",
      ({ host, ids }) => {
        rmSync(varLink(host, ids[1]));
        symlinkSync("/tmp", varLink(host, ids[1]));
      },
    ],
    [
      "a boot loader is damaged",
      "loader-damaged",
      ({ host }) => flipByte(join(host.bootDirectory, "EFI/BOOT/BOOTX64.EFI")),
    ],
    [
      "a boot loader is cut short",
      "loader-damaged",
      ({ host }) => writeFileSync(join(host.bootDirectory, "EFI/BOOT/BOOTX64.EFI"), "MZ"),
    ],
    ["meta.json is gone", "metadata-parse-failed", ({ host }) => rmSync(metaOf(host))],
    ["meta.json is no JSON", "metadata-parse-failed", ({ host }) => writeFileSync(metaOf(host), "{")],
  ];
  using host = await FixtureHost.make();
  const system = await made(host);
  const before = host.snapshot();
  for (const [what, kind, damage] of damages) {
    damage(system);
    const { faults } = await check(system);
    assert.ok(faults.length > 0, what);
    for (const fault of faults) assert.deepEqual([fault.kind, fault.repairable], [kind, true], what);
    const repaired = withFsck(await repair(system, []));
    assert.deepEqual([failuresOf(repaired), repaired.after.faults.map(faultText)], [[], []], what);
    assert.deepEqual(host.snapshot(), before, what);
  }
});

test("an EROFS image is made again from its layers, a UKI's object comes from the ESP: no source is asked", async () => {
  using host = await FixtureHost.make();
  const system = await made(host);
  const before = host.snapshot();
  const object = (id = "") => join(host.physicalRoot, "composefs/objects", id.slice(0, 2), id.slice(2));
  const uki = verityDigest(readFileSync(ukiOf(host, system.ids[1])), "sha512");
  for (const path of [object(system.ids[0]), object(system.ids[1]), object(uki)]) flipByte(path);
  rmSync(join(host.physicalRoot, "composefs/images", system.ids[1] ?? ""));
  const { faults } = await check(system);
  assert.deepEqual(
    faults.flatMap(({ kind, subject }) => (kind === "object-digest-mismatch" ? [subject] : [])).sort(),
    [system.ids[0], system.ids[1], uki].map((id) => object(id).slice(host.physicalRoot.length + 1)).sort(),
  );
  const repaired = withFsck(await repair(system, []));
  assert.deepEqual([failuresOf(repaired), repaired.after.faults.map(faultText), repaired.sources], [[], [], []]);
  assert.deepEqual(host.snapshot(), before);
});

test("links of images and streams that are gone are there again", async () => {
  using host = await FixtureHost.make();
  const system = await made(host);
  const before = host.snapshot();
  for (const kind of ["streams", "images"]) {
    const directory = join(host.physicalRoot, "composefs", kind);
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isSymbolicLink()) rmSync(join(directory, entry.name));
    }
  }
  const repaired = withFsck(await repair(system));
  assert.deepEqual(failuresOf(repaired), []);
  assert.deepEqual(repaired.after.faults.map(faultText), []);
  assert.deepEqual(host.snapshot(), before);
});

test("without a source that has the image everything else is mended, and the rest is told", async () => {
  using host = await FixtureHost.make();
  const system = await made(host);
  const other = await host.image({ files: [{ path: "usr/bin/other", content: "o".repeat(100) }] });
  const [lost = ""] = objectFiles(host).filter((path) => readFileSync(path).includes("1".repeat(100)));
  rmSync(lost);
  rmSync(ukiOf(host, system.ids[0]));
  const repaired = withFsck(await repair(system, [other.reference]));
  assert.ok(existsSync(ukiOf(host, system.ids[0])));
  const [failure] = repaired.failures;
  assert.equal(repaired.failures.length, 1);
  assert.match(failure?.message ?? "", /^Cannot fetch image sha256:[0-9a-f]{64}: none of the sources has it$/);
  assert.match(failure?.data.output?.[0] ?? "", /is another image by now, sha256:/);
  assert.match(failure?.data.output?.[1] ?? "", /^docker:\/\/quay\.io\/example\/os@sha256:/);
  const kinds = new Set(repaired.after.faults.map(({ kind }) => kind));
  assert.deepEqual(kinds, new Set(["missing-object-ref", "image-missing-object"]));
  for (const { deployments } of repaired.after.faults) assert.deepEqual(deployments, [system.ids[1]]);
});

test("a host without seal: kernel and initramfs come from the image", async () => {
  using host = await FixtureHost.make();
  const directory = join(host.path, "unsealed");
  mkdirSync(directory);
  const { reference } = await unsealedImage(directory, [...baseFiles(), ...type1Files()]);
  const id = await host.addType1(reference, "rw IMAGE");
  const before = host.snapshot();
  const system = { host, ids: [id], sources: [reference] };
  assert.deepEqual((await check(system)).faults.map(faultText), []);
  const folder = join(host.bootDirectory, "EFI/Linux", `bootc_composefs-${id}`);
  flipByte(join(folder, "vmlinuz"));
  rmSync(join(folder, "initrd"));
  const repaired = withFsck(await repair(system, []));
  assert.deepEqual(
    repaired.before.faults.map(({ kind }) => kind),
    ["boot-file-damaged", "boot-file-missing"],
  );
  assert.deepEqual([failuresOf(repaired), repaired.after.faults.map(faultText)], [[], []]);
  assert.deepEqual(host.snapshot(), before);
});

test("a policy that refuses the image keeps it out", async () => {
  using host = await FixtureHost.make();
  const system = await made(host, 1);
  const before = host.snapshot();
  const [large = ""] = objectFiles(host).filter((path) => readFileSync(path).length === 90_000);
  flipByte(large);
  const damaged = readFileSync(large);
  const policy = join(host.path, "policy.json");
  writeFileSync(policy, JSON.stringify({ default: [{ type: "reject" }] }));
  const options = { sources: system.sources, policy: { path: policy }, events: silent };
  const repaired = await repairHost(host.places(system.ids[0]), options);
  assert.deepEqual(
    repaired.failures.map(({ code }) => code),
    ["untrusted"],
  );
  assert.deepEqual(readFileSync(large), damaged);
  writeFileSync(large, before.get(large) ?? "", "latin1");
  assert.deepEqual(host.snapshot(), before);
});

test("what belongs to nobody is not touched: an entry of another system, garbage, a deployment without entry", async () => {
  using host = await FixtureHost.make();
  const system = await made(host);
  const old = await host.add({ files: [{ path: "usr/bin/old", content: "o".repeat(100) }] });
  host.menu(...system.ids);
  host.writeEsp("loader/entries/windows.conf", "title Windows\nversion 1\nefi /EFI/Microsoft/bootmgfw.efi\n");
  host.writeEsp("loader/entries/broken.conf", "nothing");
  host.writeEsp(`EFI/Linux/bootc/bootc_composefs-${old}.efi.extra.d/mine.addon.efi`, "an add-on of the administrator");
  rmSync(ukiOf(host, old));
  const before = host.snapshot();
  rmSync(ukiOf(host, system.ids[0]));
  const repaired = withFsck(await repair(system, []));
  assert.deepEqual(repaired.after.faults.map(faultText), [
    `entry-unusable: ESP:/loader/entries/broken.conf: Cannot parse boot entry ${entryPath(host, "broken.conf")}: the key "version" is missing`,
  ]);
  assert.deepEqual(host.snapshot(), before);
});

/** A generator of numbers below a limit, the same for the same seed (xorshift32). */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const ROUNDS = process.env.SEALROOT_ALL_FAULTS === undefined ? 4 : 60;

test("whatever is damaged at once, afterwards every byte is as it was", async () => {
  using host = await FixtureHost.make();
  const system = await made(host, 3);
  const before = host.snapshot();
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = randomNumbers(seed * 2654435761);
    for (const path of objectFiles(host)) {
      const action = random(8);
      if (action === 0) rmSync(path);
      else if (action === 1) flipByte(path);
      else if (action === 2) truncateSync(path, random(50));
      else if (action === 3) writeFileSync(path, "something else");
    }
    for (const id of system.ids) {
      if (random(3) === 0) flipByte(ukiOf(host, id));
      if (random(3) === 0) rmSync(varLink(host, id));
    }
    if (random(2) === 0) rmSync(entryPath(host, entries(host)[random(3)] ?? ""));
    if (random(4) === 0) rmSync(metaOf(host));
    const repaired = withFsck(await repair(system));
    const seen = `seed ${seed}`;
    assert.deepEqual([failuresOf(repaired), repaired.after.faults.map(faultText)], [[], []], seen);
    assert.deepEqual(host.snapshot(), before, seen);
  }
});

test("a disk in a rescue system is changed by one process at a time, and read by any", async () => {
  using host = await FixtureHost.make();
  const places = { sysroot: host.physicalRoot, esp: host.bootDirectory };
  {
    using first = openMountedHost({ ...places, write: true });
    assert.equal(first.places.bootLoader, "systemd");
    assert.throws(() => openMountedHost({ ...places, write: true }), {
      code: "conflict",
      message: "Cannot change this host: another process is changing it",
    });
    using reader = openMountedHost({ ...places, write: false });
    assert.equal(reader.places.booted, undefined);
  }
  using again = openMountedHost({ ...places, write: true });
  assert.deepEqual((await checkHost(again.places, silent)).faults, []);
});

test("a disk in a rescue system is checked and repaired by the verb", async () => {
  using host = await FixtureHost.make();
  const system = await made(host);
  const before = host.snapshot();
  const places = ["--sysroot", host.physicalRoot, "--esp", host.bootDirectory];
  const clean = await run("fsck", ...places);
  assert.deepEqual([clean.exitCode, clean.err], [0, ""]);
  assert.match(clean.out, /^checked: \d+ objects, \d+ streams, 4 images, 2 deployments, 2 boot files\nstatus: ok\n$/);
  const [large = ""] = objectFiles(host).filter((path) => readFileSync(path).length === 90_000);
  rmSync(large);
  rmSync(ukiOf(host, system.ids[1]));
  const found = await run("fsck", ...places, "--json");
  assert.equal(found.exitCode, 1);
  assert.deepEqual(faultsOf(SCHEMA, JSON.parse(found.out)), []);
  const sources = system.sources.flatMap((source) => ["--source", source]);
  const repaired = await run("fsck", ...places, "--repair", "--insecure-policy", ...sources);
  assert.equal(repaired.exitCode, 0, repaired.err);
  assert.match(repaired.out, /^fetched from: oci:.*\nstatus: ok\n$/m);
  assert.match(
    repaired.out,
    /^repaired: boot-file-missing: ESP:\/EFI\/Linux\/bootc\/bootc_composefs-[0-9a-f]{128}\.efi$/m,
  );
  assert.deepEqual(host.snapshot(), before);
  const nowhere = await run("fsck", "--sysroot", host.path, "--esp", host.bootDirectory);
  assert.equal(nowhere.exitCode, 1);
  assert.match(nowhere.err, /^sealroot: Cannot find a host in --sysroot: there is no .*\/composefs$/m);
});
