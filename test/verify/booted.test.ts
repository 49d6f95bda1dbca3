/** The system that runs, as a folder whose firmware enforces Secure Boot. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { CommandLine, ukiPath } from "../../src/bls/index.ts";
import {
  authenticatedContent,
  GLOBAL_VARIABLE_VENDOR,
  IMAGE_SECURITY_DATABASE_VENDOR,
  SHIM_VENDOR,
} from "../../src/efi/index.ts";
import { silent } from "../../src/events/index.ts";
import type { HostPlaces } from "../../src/host/index.ts";
import { signPe } from "../../src/pe/index.ts";
import { allLinks, firstBroken, NO_POLICY, reportJson, verifyBooted } from "../../src/verify/index.ts";
import { loaderImage, peImage } from "../bootloader/pe-fixture.ts";
import { run } from "../cli/run-verb.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { TEST_KEYS } from "../install/sealed-image.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { sealedInitramfs, TOOL_OBJECT } from "./fixture-disk.ts";

const OPTIONS = { keys: undefined, policy: NO_POLICY, events: silent };
let host: FixtureHost;
let places: HostPlaces;
let id: string;
let older: string;

function setVariable(name: string, vendor: unknown, value: Uint8Array): void {
  writeFileSync(join(host.path, "efivars", `${name}-${vendor}`), Buffer.concat([Buffer.of(7, 0, 0, 0), value]));
}

before(async () => {
  host = await FixtureHost.make();
  older = await host.add({
    initramfs: sealedInitramfs,
    rank: "secondary",
    files: [{ path: "usr/old", content: "o".repeat(99) }],
  });
  id = await host.add({ initramfs: sealedInitramfs });
  host.menu(id, older);
  mkdirSync(join(host.path, "efivars"));
  places = host.places(id, { efiVariables: join(host.path, "efivars") });
});
after(() => host[Symbol.dispose]());
beforeEach(() => {
  setVariable("SecureBoot", GLOBAL_VARIABLE_VENDOR, Buffer.of(1));
  setVariable("db", IMAGE_SECURITY_DATABASE_VENDOR, authenticatedContent(TEST_KEYS.enrolment.db));
});

async function broken(changes: Partial<HostPlaces> = {}) {
  const { links } = await verifyBooted({ ...places, ...changes }, OPTIONS);
  const found = firstBroken(links);
  return found && [found.link.name, found.finding.message];
}

/** Changes a file while `look` runs. */
async function changed<T>(path: string, change: (bytes: Buffer) => Uint8Array | undefined, look: () => Promise<T>) {
  const before = readFileSync(path);
  const after = change(Buffer.from(before));
  rmSync(path);
  if (after !== undefined) writeFileSync(path, after);
  try {
    return await look();
  } finally {
    writeFileSync(path, before);
  }
}

const flipped = (offset: number) => (bytes: Buffer) => {
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  return bytes;
};

test("a host that Secure Boot has started: both entries, the line of the kernel, the objects of what runs", async () => {
  const snapshot = host.snapshot();
  const report = await verifyBooted(places, OPTIONS);
  assert.equal(firstBroken(report.links), undefined);
  assert.deepEqual(
    [...allLinks(report.links)].map(({ name, state }) => `${name} ${state}`),
    [
      ...["keys verified", "loader verified", "loader verified"],
      // The repository of a folder has no fs-verity.
      ...[
        "entry weaker",
        "uki verified",
        "command-line verified",
        "initramfs verified",
        "image verified",
        "state unchecked",
      ],
      ...["entry verified", "uki verified", "command-line verified", "initramfs verified"],
      ...["command-line verified", "objects verified"],
    ],
  );
  assert.ok(report.hashed.bytes > 300_000);
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/verify.json"), "utf8"));
  assert.deepEqual(faultsOf(schema, JSON.parse(JSON.stringify(reportJson(report)))), []);
  assert.deepEqual(host.snapshot(), snapshot, "the host was written");
});

test("Secure Boot is off, or does not know the keys", async () => {
  setVariable("SecureBoot", GLOBAL_VARIABLE_VENDOR, Buffer.of(0));
  assert.deepEqual(await broken(), ["keys", "Secure Boot is off: the firmware starts anything"]);
  setVariable("SecureBoot", GLOBAL_VARIABLE_VENDOR, Buffer.of(1));
  const other = await temporaryKeys("other");
  setVariable("db", IMAGE_SECURITY_DATABASE_VENDOR, authenticatedContent(other.enrolment.db));
  assert.equal((await broken())?.[0], "loader");
  setVariable("db", IMAGE_SECURITY_DATABASE_VENDOR, Buffer.from("garbage"));
  assert.equal((await broken())?.[0], "keys");
});

test("files of the ESP that were changed", async () => {
  const loader = join(host.bootDirectory, "EFI/BOOT/BOOTX64.EFI");
  assert.equal((await changed(loader, () => loaderImage("257"), broken))?.[0], "loader");
  const uki = join(host.bootDirectory, ukiPath(id));
  assert.equal((await changed(uki, flipped(1100), broken))?.[0], "uki");
  assert.deepEqual(await changed(uki, () => undefined, broken), ["entry", "the UKI that it names is not on the ESP"]);
  const fallback = join(host.bootDirectory, ukiPath(older));
  assert.equal((await changed(fallback, flipped(1100), broken))?.[0], "uki");
  const other = await temporaryKeys("other");
  const foreign = await signPe(loaderImage("257"), other.signer);
  assert.equal((await changed(loader, () => foreign, broken))?.[0], "loader");
});

test("the level of SBAT by which shim has started it is the one that counts, unless another is given", async () => {
  const sbat = (generation: number) => `sbat,1,S,sbat,1,https://s\nloader,${generation},L,l,1,https://l\n`;
  const loader = join(host.bootDirectory, "EFI/BOOT/BOOTX64.EFI");
  const magic = "#### LoaderInfo: systemd-boot 257 ####";
  const signed = (generation: number) =>
    signPe(peImage({ ".text": "loader", ".sbat": sbat(generation), ".sdmagic": magic }), TEST_KEYS.signer);
  const [old, current] = [await signed(1), await signed(2)];
  setVariable("SbatLevelRT", SHIM_VENDOR, Buffer.from("sbat,1,2026113000\nloader,2\n"));
  try {
    const refused = ["loader", "the level of SBAT revokes the boot loader: its loader is too old"];
    assert.deepEqual(await changed(loader, () => old, broken), refused);
    assert.equal(await changed(loader, () => current, broken), undefined);
    const sbatLevel = { date: undefined, entries: [{ component: "loader", generation: 1 }] };
    const given = await changed(
      loader,
      () => old,
      () => verifyBooted(places, { ...OPTIONS, sbatLevel }),
    );
    assert.equal(firstBroken(given.links), undefined);
    setVariable("SbatLevelRT", SHIM_VENDOR, Buffer.from("garbage"));
    assert.deepEqual(await broken(), ["keys", "Cannot read the variable SbatLevelRT: it is no SbatLevel"]);
  } finally {
    rmSync(join(host.path, "efivars", `SbatLevelRT-${SHIM_VENDOR}`));
  }
});

test("what runs is not what the UKI says", async () => {
  const booted = places.booted ?? assert.fail();
  const commandLine = CommandLine.parse(`composefs=${older} rw`);
  assert.deepEqual(await broken({ booted: { ...booted, commandLine } }), [
    "command-line",
    `command-line: the kernel was given ${older}, which the UKI does not name`,
  ]);
  assert.deepEqual(await broken({ booted: { ...booted, verityRequired: false } }), [
    "command-line",
    "root: the root is mounted without fs-verity being required",
  ]);
});

test("objects and the image of what runs", async () => {
  const object = join(host.physicalRoot, TOOL_OBJECT);
  assert.deepEqual(await changed(object, flipped(200_000), broken), [
    "objects",
    "the object of /usr/bin/tool: its content has another digest",
  ]);
  assert.deepEqual(await changed(object, () => undefined, broken), [
    "objects",
    "the object of /usr/bin/tool: it cannot be opened",
  ]);
  const image = join(host.physicalRoot, `composefs/objects/${id.slice(0, 2)}/${id.slice(2)}`);
  assert.deepEqual(await changed(image, flipped(5000), broken), ["image", "its content has another digest"]);
});

test("no boot entry leads to what runs", async () => {
  host.menu(older);
  assert.deepEqual(await broken(), ["entry", "no boot entry leads to what runs"]);
  host.menu(id, older);
});

test("on a system that nobody of ours installed, --booted says so; one target is needed, and no more", async () => {
  const nothing = await run("verify", "--booted");
  assert.deepEqual(
    [nothing.exitCode, /neither bootc nor sealroot installed it/.test(nothing.err)],
    [1, true],
    nothing.err,
  );
  for (const words of [[], ["disk.img", "--booted"]]) {
    const { exitCode, err } = await run("verify", ...words);
    assert.deepEqual([exitCode, /Cannot verify: one thing is to be verified/.test(err)], [2, true], err);
  }
});
