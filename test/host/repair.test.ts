/** Checking and repairing hosts that are folders: whatever is damaged, afterwards every byte is as it was. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ukiPath } from "../../src/bls/index.ts";
import { silent } from "../../src/events/index.ts";
import { checkHost, faultText, type HostRepair, repairHost } from "../../src/host/index.ts";
import { baseFiles, LOADER_PATH } from "../install/sealed-image.ts";
import { FixtureHost } from "./fixture-host.ts";

interface Made {
  readonly host: FixtureHost;
  /** In the order of the menu; the first one runs. */
  readonly ids: readonly string[];
  readonly sources: readonly string[];
}

const LOADER = baseFiles().find(({ path }) => path === LOADER_PATH)?.content ?? "";

/** A host with deployments that differ in a large and a small file, and with its boot loader. */
async function made(host: FixtureHost, count = 2): Promise<Made> {
  const ids: string[] = [];
  for (let number = 0; number < count; number++) {
    const files = [100, 90_000].map((size) => ({ path: `usr/bin/n${size}`, content: `${number}`.repeat(size) }));
    ids.push(await host.add({ files }));
  }
  host.menu(...ids);
  for (const path of ["EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"]) host.writeEsp(path, LOADER);
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
