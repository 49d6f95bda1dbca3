/** Upgrades of hosts without seal, as folders: shared kernels, kargs.d, and what was changed on the machine. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type BootEntry, formatBootEntry, kernelFolderName, parseBootEntry } from "../../src/bls/index.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { writeCpio } from "../../src/cpio/index.ts";
import { readDeployment } from "../../src/deployment/index.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import { silent } from "../../src/events/index.ts";
import { type HostPlaces, readHost, setOptionsForSource } from "../../src/host/index.ts";
import { finalizeStaged, openUpdate, planFetched, updateHost } from "../../src/update/index.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import {
  baseFiles,
  type ImageFile,
  plainKernel,
  sealImage,
  type1Files,
  unsealedImage,
} from "../install/sealed-image.ts";
import { PLAIN_UPDATE } from "./update-options.ts";

const FOLLOWED = "docker://quay.io/example/os:1";
const initramfs = (text: string) =>
  writeCpio([
    { kind: "file", path: byteStringOfText("usr/lib/bootc/initramfs-setup"), mode: 0o755, bytes: Buffer.from(text) },
  ]);
const INITRAMFS = initramfs("setup");
const kargs = (...texts: readonly string[]): ImageFile[] => [
  { path: "usr/lib/bootc/kargs.d" },
  { path: "usr/lib/bootc/kargs.d/10.toml", content: `kargs = ${JSON.stringify(texts)}\n` },
];
const release = (text: string): ImageFile => ({ path: "usr/lib/release", content: text });
const both = (id: string, mark = "") => `composefs.digest=${mark}v1-sha512-12:${id} composefs=${mark}${id}`;

let images = 0;
/** An image without seal; a later file of the same path wins. */
async function image(host: FixtureHost, ...more: readonly ImageFile[]) {
  const directory = join(host.path, `type1-${++images}`);
  mkdirSync(directory);
  const files = new Map<string, ImageFile>();
  const all = [...baseFiles(), ...type1Files({ initramfs: INITRAMFS }), ...more];
  for (const file of all) files.set(file.path, file);
  return (await unsealedImage(directory, [...files.values()])).reference;
}

async function update(places: HostPlaces, etcPath: string, source: string, firmware?: undefined) {
  const host = await readHost(places);
  const access = { policy: "accept-anything", events: silent } as const;
  await using opened = await openUpdate(places, host, { imageReference: FOLLOWED, source }, access);
  return await updateHost(places, host, opened, {
    ...PLAIN_UPDATE,
    etcPath,
    firmware,
    events: silent,
  });
}

/** A host without seal that runs `first`, made by an upgrade of one that a hand-written entry boots. */
class Type1Host implements Disposable {
  readonly host: FixtureHost;
  booted = "";
  readonly etcPath: string;

  constructor(host: FixtureHost) {
    this.host = host;
    this.etcPath = join(host.path, "etc");
  }

  static async make(options: string, ...files: readonly ImageFile[]): Promise<Type1Host> {
    const made = new Type1Host(await FixtureHost.make());
    made.booted = await made.host.addType1(await image(made.host, ...files), options);
    await made.host.fillEtc(made.booted, made.etcPath);
    return made;
  }

  [Symbol.dispose](): void {
    this.host[Symbol.dispose]();
  }

  get places(): HostPlaces {
    return this.host.places(this.booted);
  }

  /** Upgrades, shuts down, boots what is new. @returns its id */
  async upgrade(source: string): Promise<string> {
    const { deploymentId, result } = await update(this.places, this.etcPath, source);
    assert.equal(result, "staged");
    await finalizeStaged(this.places, { etcPath: this.etcPath, events: silent });
    this.booted = deploymentId;
    const { problems, booted } = await readHost(this.places);
    assert.deepEqual(problems, []);
    assert.equal(booted?.deploymentId, deploymentId);
    return deploymentId;
  }

  entryOf(id: string): BootEntry {
    return parseBootEntry(readFileSync(this.#pathOf(id), "utf8"));
  }

  change(id: string, change: (entry: BootEntry) => BootEntry): void {
    writeFileSync(this.#pathOf(id), formatBootEntry(change(this.entryOf(id))));
  }

  get kernels(): string[] {
    return readdirSync(join(this.host.bootDirectory, "EFI/Linux"))
      .filter((name) => name !== "bootc")
      .sort();
  }

  #pathOf(id: string): string {
    const folder = join(this.host.bootDirectory, "loader/entries");
    const name = readdirSync(folder).find((one) =>
      readFileSync(join(folder, one), "utf8").includes(`v1-sha512-12:${id}`),
    );
    assert.ok(name !== undefined, `no entry for ${id}`);
    return join(folder, name);
  }
}

test("three upgrades in a row share one kernel, and what was changed on the machine stays", async () => {
  using system = await Type1Host.make("root=UUID=1 rw IMAGE quiet", ...kargs("quiet"));
  const { host } = system;
  const first = system.booted;
  system.change(first, (entry) => ({
    ...entry,
    options: `${entry.options} local=1 isolcpus=2`,
    machineId: "0123",
    otherFields: [
      ["x-options-source-tuned", "isolcpus=2"],
      ["grub_users", "me"],
    ],
  }));
  const second = await system.upgrade(await image(host, release("2"), ...kargs("quiet", "console=ttyS0")));
  system.change(second, (entry) => ({ ...entry, options: `${entry.options} later=1` }));
  const third = await system.upgrade(await image(host, release("3"), ...kargs("console=ttyS0", "isolcpus=2")));
  const fourth = await system.upgrade(await image(host, release("4"), ...kargs("loglevel=3")));
  assert.equal(new Set([first, second, third, fourth]).size, 4);
  const folder = `/EFI/Linux/${kernelFolderName(first)}`;
  assert.deepEqual(system.kernels, [kernelFolderName(first)]);
  const entry = system.entryOf(fourth);
  assert.deepEqual(entry.target, { type: "linux", linux: `${folder}/vmlinuz`, initrd: [`${folder}/initrd`] });
  // quiet went with the second image, console= with the fourth; isolcpus= is tuned's as well.
  assert.equal(entry.options, `root=UUID=1 rw ${both(fourth)} local=1 isolcpus=2 later=1 loglevel=3`);
  assert.equal(entry.machineId, "0123");
  assert.deepEqual(entry.otherFields, [
    ["x-options-source-tuned", "isolcpus=2"],
    ["grub_users", "me"],
  ]);
  assert.equal(system.entryOf(third).options, `root=UUID=1 rw ${both(third)} local=1 isolcpus=2 console=ttyS0 later=1`);
  const [new_, old] = [fourth, third].map((id) => readDeployment(host.physicalRoot, id).origin);
  assert.equal(new_?.bootType, "bls");
  assert.equal(new_?.bootDigest, old?.bootDigest);
});

test("the plan of an upgrade: the files, the entry's arguments, and what a TPM is not asked about", async () => {
  using system = await Type1Host.make("rw IMAGE quiet", ...kargs("quiet"));
  const { host, etcPath, places } = system;
  const reference = await image(
    host,
    { path: "usr/lib/modules/6.12/initramfs.img", content: initramfs("other") },
    ...kargs("loglevel=3"),
  );
  const read = await readHost(places);
  const access = { policy: "accept-anything", events: silent } as const;
  await using opened = await openUpdate(places, read, { imageReference: FOLLOWED, source: reference }, access);
  const plan = await planFetched(places, read, opened, {
    ...PLAIN_UPDATE,
    ...{ etcPath, events: silent },
  });
  assert.ok("kernelArguments" in plan.boot && "bootFiles" in plan.esp && "objects" in plan.garbage);
  assert.deepEqual(plan.boot.kernelArguments, { added: ["loglevel=3"], removed: ["quiet"] });
  assert.deepEqual([plan.boot.kernelChanges, plan.boot.softReboot], [true, false]);
  assert.ok("unknown" in plan.boot.tpm);
  const planned = plan.esp.bootFiles;
  const entries = plan.esp.entries ?? [];
  const second = await system.upgrade(reference);
  const written = (path = "") => readFileSync(join(host.bootDirectory, path)).length;
  assert.deepEqual(
    planned.map(({ path }) => path),
    ["vmlinuz", "initrd"].map((name) => `EFI/Linux/${kernelFolderName(second)}/${name}`),
  );
  for (const { path, bytes } of [...planned, ...entries]) assert.equal(written(path), bytes, path);
  assert.equal(plan.to.deploymentId, second);
});

test("another kernel or initramfs gets a folder of its own; the old one stays for what is rolled back to", async () => {
  using system = await Type1Host.make("rw IMAGE");
  const { host } = system;
  const first = system.booted;
  const path = "usr/lib/modules/6.12/initramfs.img";
  const second = await system.upgrade(await image(host, { path, content: initramfs("other") }));
  assert.deepEqual(system.kernels, [first, second].map(kernelFolderName).sort());
  const file = (name: string) => readFileSync(join(host.bootDirectory, "EFI/Linux", kernelFolderName(second), name));
  assert.ok(file("vmlinuz").equals(plainKernel()));
  assert.ok(file("initrd").equals(initramfs("other")));
  // Back to the first kernel: its folder is there still.
  const third = await system.upgrade(await image(host, release("3")));
  assert.deepEqual(system.kernels, [first, second].map(kernelFolderName).sort());
  assert.ok(JSON.stringify(system.entryOf(third).target).includes(first));
});

test("a folder that is not whole, or not the same any more, is not shared", async () => {
  for (const damage of [
    (folder: string) => rmSync(join(folder, "initrd")),
    (folder: string) => writeFileSync(join(folder, "initrd"), Buffer.alloc(INITRAMFS.length)),
    (folder: string) => writeFileSync(join(folder, "vmlinuz"), "short"),
  ]) {
    using system = await Type1Host.make("rw IMAGE");
    damage(join(system.host.bootDirectory, "EFI/Linux", kernelFolderName(system.booted)));
    const second = await system.upgrade(await image(system.host, release("2")));
    assert.ok(JSON.stringify(system.entryOf(second).target).includes(second));
  }
});

test("an entry that does not require fs-verity has successors that do not, and status says so", async () => {
  using system = await Type1Host.make("rw IMAGE?");
  const second = await system.upgrade(await image(system.host, release("2")));
  assert.equal(system.entryOf(second).options, `rw ${both(second, "?")}`);
  const { booted, rollback } = await readHost(system.places);
  assert.equal(rollback?.missingVerityAllowed, true);
  assert.ok(booted !== undefined);
});

test("a host without seal may get one, and a sealed host never loses it to an image", async () => {
  using system = await Type1Host.make("rw IMAGE");
  const directory = join(system.host.path, "sealed");
  mkdirSync(directory);
  const sealed = await sealImage(directory, [...baseFiles(), release("sealed")]);
  assert.equal(await system.upgrade(sealed.reference), sealed.deploymentId);
  const before = system.host.snapshot();
  await assert.rejects(
    update(system.places, system.etcPath, await image(system.host, release("3"))),
    (error: SealrootError) => {
      assert.equal(error.code, "untrusted");
      assert.equal(error.message, "Cannot use the image: it is not sealed, and this host boots from a UKI");
      return true;
    },
  );
  for (const [path, content] of before) {
    if (path.includes("/composefs/")) continue;
    assert.ok(existsSync(path), path);
    if (content !== "directory" && !content.startsWith("-> "))
      assert.equal(readFileSync(path, "latin1"), content, path);
  }
});

test("arguments of a source go into what is staged, and are booted with it", async () => {
  using system = await Type1Host.make("rw IMAGE");
  const { host } = system;
  const { deploymentId } = await update(system.places, system.etcPath, await image(host, release("2")));
  const set = await setOptionsForSource(system.places, { source: "tuned", options: "isolcpus=1" });
  const options = `rw ${both(deploymentId)} isolcpus=1`;
  assert.deepEqual(set, { source: "tuned", deploymentId, commandLine: options, changed: true });
  assert.equal(system.entryOf(system.booted).options, `rw ${both(system.booted)}`);
  await finalizeStaged(system.places, { etcPath: system.etcPath, events: silent });
  const entry = system.entryOf(deploymentId);
  assert.equal(entry.options, options);
  assert.deepEqual(entry.otherFields, [["x-options-source-tuned", "isolcpus=1"]]);
});

test("a line that the kernel would cut off is refused before anything is written", async () => {
  using system = await Type1Host.make(`rw IMAGE ${"x".repeat(1700)}`);
  await assert.rejects(update(system.places, system.etcPath, await image(system.host, ...kargs("y".repeat(100)))), {
    code: "unsupported",
    message: /^Cannot use the kernel command line of the new boot entry: it has \d+ bytes/,
  });
  assert.equal(existsSync(join(system.host.bootDirectory, "loader/entries.staged")), false);
});
