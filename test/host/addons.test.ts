/** Add-ons of UKIs on hosts that are folders: listed, added, removed, checked and repaired, collected. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { readStagedRecord, writeStagedRecord } from "../../src/deployment/index.ts";
import { silent } from "../../src/events/index.ts";
import {
  addAddons,
  addedAddonLines,
  addonJson,
  addonListLines,
  addonsOfHost,
  collectHost,
  type HostDeployment,
  readHost,
  referencedAddonLines,
  referencedAddons,
  referencedAddonsJson,
  removeAddon,
  removedAddonLines,
} from "../../src/host/index.ts";
import { databasesOf } from "../../src/keys/index.ts";
import { checkHost, repairHost } from "../../src/repair/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { readDocument } from "../docs/markdown.ts";
import { TEST_KEYS } from "../install/sealed-image.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { addon, globalPath, inImage, scopedPath } from "./addon-files.ts";
import { FixtureHost } from "./fixture-host.ts";

const DEBUG = await addon("debug loglevel=7");
const SITE = await addon("site=north");
const FIRMWARE = {
  ...databasesOf([{ folder: "auto", name: "db.auth", bytes: TEST_KEYS.enrolment.db }])[0],
  name: "the keys of this machine",
};
const firmware = { name: FIRMWARE.name, allowed: FIRMWARE.allowed ?? [], forbidden: FIRMWARE.forbidden ?? [] };
const schemaOf = (verb: string) => JSON.parse(readDocument(`schema/${verb}.json`));

interface Made {
  readonly host: FixtureHost;
  readonly booted: HostDeployment;
  readonly warnings: string[];
  readonly options: Parameters<typeof addAddons>[3];
}

async function made(host: FixtureHost, scoped = { debug: DEBUG }, global = { site: SITE }): Promise<Made> {
  const id = await host.add({ beside: inImage({ scoped, global }) });
  const { booted } = await readHost(host.places(id));
  assert.ok(booted !== undefined);
  const warnings: string[] = [];
  return { host, booted, warnings, options: { firmware, reporter: { warn: (text) => void warnings.push(text) } } };
}

const placesOf = ({ host, booted }: Made) => host.places(booted.deploymentId);
const add = (on: Made, names: { scoped?: string[]; global?: string[] }, options = on.options) =>
  addAddons(placesOf(on), on.booted, { scoped: [], global: [], ...names }, options);
const onEsp = ({ host }: Made, path: string) => readFileSync(join(host.bootDirectory, path));

test("an add-on of the image that runs is added, listed and removed in bootc's words", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  const { deploymentId } = on.booted;
  assert.deepEqual(addonListLines(addonsOfHost(placesOf(on)).addons), ["No UKI addons installed"]);
  const added = await add(on, { scoped: ["debug"], global: ["site"] });
  for (const one of added) assert.deepEqual(faultsOf(schemaOf("uki-addon-add"), one), []);
  assert.deepEqual(added.flatMap(addedAddonLines), [
    `Added addon debug (scoped (deployment ${deploymentId}))`,
    "It takes effect at the next boot",
    "Added addon site (global)",
    "It takes effect at the next boot of any deployment",
  ]);
  assert.deepEqual(onEsp(on, scopedPath(deploymentId, "debug")), Buffer.from(DEBUG));
  assert.deepEqual(onEsp(on, globalPath("site")), Buffer.from(SITE));
  const { addons, foreign } = addonsOfHost(placesOf(on));
  assert.deepEqual(foreign, []);
  assert.deepEqual(addonListLines(addons), ["site (global)", `debug (scoped (deployment ${deploymentId}))`]);
  const json = addons.map(addonJson);
  assert.equal(
    JSON.stringify(json),
    `[{"name":"site","addon_type":{"type":"global"}},{"name":"debug","addon_type":{"type":"scoped","depl_id":"${deploymentId}"}}]`,
  );
  assert.deepEqual(faultsOf(schemaOf("uki-addon-list"), json), []);
  const before = host.snapshot();
  assert.deepEqual((await add(on, { scoped: ["debug"] })).flatMap(addedAddonLines), [
    "Addon debug is already present. Nothing to do.",
  ]);
  assert.deepEqual(host.snapshot(), before);
  const global = removeAddon(placesOf(on), "site");
  const scoped = removeAddon(placesOf(on), "debug", deploymentId.slice(0, 8));
  for (const one of [global, scoped]) assert.deepEqual(faultsOf(schemaOf("uki-addon-remove"), one), []);
  assert.deepEqual(
    [global, scoped].flatMap((removed) => removedAddonLines(removed)),
    [
      "Removed Global Addon site",
      "Removed empty directory loader/addons",
      "Removed addon debug",
      `Removed empty directory ${dirname(scopedPath(deploymentId, "debug"))}`,
    ],
  );
  assert.deepEqual(addonsOfHost(placesOf(on)).addons, []);
  assert.deepEqual(on.warnings, []);
});

test("what somebody else put there stays, and is told of", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  await add(on, { scoped: ["debug"], global: ["site"] });
  const folder = dirname(scopedPath(on.booted.deploymentId, "debug"));
  host.writeEsp("loader/addons/mine.addon.efi", "x");
  host.writeEsp(join(folder, "a.cred"), "x");
  assert.deepEqual(addonsOfHost(placesOf(on)).foreign, ["loader/addons/mine.addon.efi"]);
  assert.throws(() => removeAddon(placesOf(on), "mine"), {
    code: "not-found",
    message: "No Global addon found with the name mine",
  });
  assert.equal(removeAddon(placesOf(on), "site").removedDirectory, null);
  assert.equal(removeAddon(placesOf(on), "debug", on.booted.deploymentId).removedDirectory, null);
  assert.deepEqual(readdirSync(join(host.bootDirectory, folder)), ["a.cred"]);
  assert.deepEqual(readdirSync(join(host.bootDirectory, "loader/addons")), ["mine.addon.efi"]);
});

test("an add-on that is not there is not removed, and the error says where there is one", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  const { deploymentId } = on.booted;
  await add(on, { scoped: ["debug"], global: ["site"] });
  const other = "7".repeat(128);
  host.writeEsp(scopedPath(other, "old"), DEBUG);
  const cases: [string, string | undefined, string, string][] = [
    [
      "debug",
      undefined,
      "No Global addon found with the name debug",
      `name the deployment whose it is: ${deploymentId}`,
    ],
    ["site", deploymentId, `No addon found with the name site for deployment ${deploymentId}`, "it is a global one"],
    [
      "nothing",
      undefined,
      "No Global addon found with the name nothing",
      "sealroot uki-addon list shows the add-ons there are",
    ],
    ["debug", other, `No addon found with the name debug for deployment ${other}`, `it is one of ${deploymentId}`],
    [
      "../debug",
      deploymentId,
      `No addon found with the name ../debug for deployment ${deploymentId}`,
      "sealroot uki-addon list shows the add-ons there are",
    ],
  ];
  const before = host.snapshot();
  for (const [name, id, message, hint] of cases) {
    assert.throws(
      () => removeAddon(placesOf(on), name, id),
      (error: Error & { code?: string; data?: { hint?: string } }) => {
        assert.deepEqual([error.code, error.message, error.data?.hint], ["not-found", message, hint]);
        return true;
      },
    );
  }
  assert.deepEqual(host.snapshot(), before);
  // Of a deployment that is gone.
  assert.equal(removeAddon(placesOf(on), "old", "7777").deploymentId, other);
});

test("an add-on that names the image stays", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  const { deploymentId } = on.booted;
  const naming = await addon(`quiet composefs=${deploymentId}`);
  for (const path of [scopedPath(deploymentId, "root"), globalPath("root")]) host.writeEsp(path, naming);
  const before = host.snapshot();
  for (const id of [deploymentId, undefined]) {
    assert.throws(() => removeAddon(placesOf(on), "root", id), {
      code: "conflict",
      message: "Cannot remove the add-on root: it names the image that boots",
    });
  }
  assert.deepEqual(host.snapshot(), before);
  // One that is damaged is loaded by no firmware, and may go.
  host.writeEsp(globalPath("root"), naming.subarray(0, 100));
  assert.equal(removeAddon(placesOf(on), "root").name, "root");
});

test("another version of an add-on is replaced by that of the image that runs", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  host.writeEsp(globalPath("site"), await addon("site=south"));
  host.writeEsp(scopedPath(on.booted.deploymentId, "debug"), "damaged");
  const results = (await add(on, { scoped: ["debug"], global: ["site"] })).map(({ name, result }) => [name, result]);
  assert.deepEqual(results, [
    ["debug", "replaced"],
    ["site", "replaced"],
  ]);
  assert.deepEqual(onEsp(on, globalPath("site")), Buffer.from(SITE));
  assert.deepEqual(onEsp(on, scopedPath(on.booted.deploymentId, "debug")), Buffer.from(DEBUG));
});

const strangers = await temporaryKeys("other");

for (const [what, content, expected] of [
  [
    "signed by a stranger",
    () => addon("debug", strangers.signer),
    /^Cannot use the add-on debug: firmware with the keys of this machine refuses it/,
  ],
  [
    "for another architecture",
    () => addon("debug", TEST_KEYS.signer, "aa64"),
    /^Cannot use the add-on debug: it is for aa64, the UKI for x64$/,
  ],
  [
    "that names an image",
    () => addon(`composefs=${"0".repeat(128)}`),
    /^Cannot use the command line of the add-on debug: "composefs" is decided by the seal$/,
  ],
  [
    "that leads past the seal",
    () => addon("init=/bin/sh"),
    /^Cannot use the command line of the add-on debug: "init" /,
  ],
  [
    "with a line that is too long",
    () => addon(`x=${"y".repeat(2000)}`),
    /^Cannot use the command line of the UKI with its add-ons: it has \d+ bytes, the kernel keeps 2047$/,
  ],
  ["that is no program", async () => Buffer.from("nothing"), /add-on debug/],
  ["that is empty", async () => Buffer.alloc(0), /add-on debug/],
] as const) {
  test(`an add-on ${what} is refused before the ESP changes`, async () => {
    using host = await FixtureHost.make();
    const on = await made(host, { debug: await content() });
    const before = host.snapshot();
    await assert.rejects(add(on, { scoped: ["debug"], global: ["site"] }), { message: expected });
    assert.deepEqual(host.snapshot(), before);
  });
}

test("what is installed already counts against the length of the line", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  host.writeEsp("loader/addons/mine.addon.efi", await addon(`x=${"y".repeat(1750)}`));
  host.writeEsp(scopedPath(on.booted.deploymentId, "more"), await addon(`z=${"y".repeat(150)}`));
  await assert.rejects(add(on, { scoped: ["debug"] }), {
    message: /^Cannot use the command line of the UKI with its add-ons: it has 20\d\d bytes, the kernel keeps 2047$/,
  });
  // That of another deployment does not.
  removeAddon(placesOf(on), "more", on.booted.deploymentId);
  host.writeEsp(scopedPath("7".repeat(128), "more"), await addon(`z=${"y".repeat(150)}`));
  assert.equal((await add(on, { scoped: ["debug"] }))[0]?.result, "added");
});

test("an add-on that the image has not, or as another kind", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  const cases: [{ scoped?: string[]; global?: string[] }, string, string][] = [
    [{ scoped: ["nothing"] }, "Cannot install the add-on nothing: the image has no nothing.addon.efi", "it has debug"],
    [
      { global: ["debug"] },
      "Cannot install the global add-on debug: the image has no debug.addon.efi in /boot/loader/addons",
      "it has one that is scoped",
    ],
    [
      { scoped: ["debug.addon.efi"] },
      "Cannot install the add-on debug.addon.efi: the image has no debug.addon.efi.addon.efi",
      "its name is debug",
    ],
    [
      { scoped: ["../debug"] },
      "Cannot install the add-on ../debug: the image has no ../debug.addon.efi",
      "it has debug",
    ],
    [{ scoped: [""] }, "Cannot install the add-on : the image has no .addon.efi", "it has debug"],
  ];
  for (const [names, message, hint] of cases) {
    await assert.rejects(add(on, names), (error: Error & { code?: string; data?: { hint?: string } }) => {
      assert.deepEqual([error.code, error.message, error.data?.hint], ["not-found", message, hint]);
      return true;
    });
  }
});

test("without Secure Boot an unsigned add-on is warned of; a damaged signature never passes", async () => {
  using host = await FixtureHost.make();
  const broken = Buffer.from(DEBUG);
  broken[1030] = (broken[1030] ?? 0) ^ 1;
  const { peImage } = await import("../bootloader/pe-fixture.ts");
  const plain = peImage({ ".text": "addon", ".cmdline": "plain" });
  const on = await made(host, { plain, broken } as never);
  const lax = { ...on.options, firmware: undefined };
  assert.equal((await add(on, { scoped: ["plain"] }, lax))[0]?.result, "added");
  assert.deepEqual(on.warnings, ["Firmware with Secure Boot will refuse the add-on plain: it is not signed"]);
  await assert.rejects(add(on, { scoped: ["broken"] }, lax), { code: "corrupt" });
});

test("the folder beside the UKI wins over a loose add-on of the same name; folders below loader/addons are not looked at", async () => {
  using host = await FixtureHost.make();
  const beside = [
    { path: "boot/EFI/Linux/debug.addon.efi", content: SITE },
    ...inImage({ scoped: { debug: DEBUG }, global: { site: SITE } }),
    { path: "boot/loader/addons/deep" },
    { path: "boot/loader/addons/deep/below.addon.efi", content: SITE },
  ];
  const id = await host.add({ beside });
  const places = host.places(id);
  const host1 = await readHost(places);
  assert.ok(host1.booted !== undefined);
  const options = { firmware, reporter: { warn: () => {} } };
  await addAddons(places, host1.booted, { scoped: ["debug"], global: [] }, options);
  assert.deepEqual(readFileSync(join(host.bootDirectory, scopedPath(id, "debug"))), Buffer.from(DEBUG));
  const { deployments } = await referencedAddons(places, host1);
  assert.deepEqual(
    deployments[0]?.addons.map(({ name }) => name),
    ["site", "debug"],
  );
});

test("what the images hold, of every deployment; one that cannot be read hides no other", async () => {
  using host = await FixtureHost.make();
  const one = await host.add({ beside: inImage({ global: { "fav-cmdline": SITE }, scoped: { extend: DEBUG } }) });
  const two = await host.add({
    files: [{ path: "usr/bin/two", content: "2" }],
    beside: inImage({ scoped: { berserk: DEBUG } }),
  });
  const three = await host.add({ files: [{ path: "usr/bin/three", content: "3" }] });
  host.menu(one, two, three);
  const places = host.places(one);
  const referenced = await referencedAddons(places, await readHost(places));
  assert.deepEqual(referencedAddonLines(referenced), [
    `Deployment ${one}:`,
    "  fav-cmdline (global)",
    `  extend (scoped (deployment ${one}))`,
    `Deployment ${two}:`,
    `  berserk (scoped (deployment ${two}))`,
    `Deployment ${three}:`,
  ]);
  const json = referencedAddonsJson(referenced);
  assert.deepEqual(json[1], [two, [{ name: "berserk", addon_type: { type: "scoped", depl_id: two } }]]);
  assert.deepEqual(faultsOf(schemaOf("uki-addon-list-referenced"), json), []);
  const { manifestDigest } = (await readHost(places)).rollback?.origin ?? {};
  const streams = join(host.physicalRoot, "composefs/streams");
  for (const name of readdirSync(streams)) {
    if (name.includes(manifestDigest?.slice("sha256:".length) ?? "?")) rmSync(join(streams, name));
  }
  const rest = await referencedAddons(places, await readHost(places));
  assert.deepEqual(
    rest.deployments.map(({ deploymentId }) => deploymentId),
    [one, three],
  );
  assert.deepEqual(
    rest.problems.map(({ subject }) => subject),
    [two],
  );
});

test("a global add-on that was removed is not brought back by what is staged", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  await add(on, { global: ["site"] });
  const record = { deploymentId: "7".repeat(128), downloadOnly: true, globalAddons: ["other", "site"] };
  writeStagedRecord(host.runDirectory, record);
  removeAddon(placesOf(on), "site");
  assert.deepEqual(readStagedRecord(host.runDirectory), { ...record, etcPolicy: "abort", globalAddons: ["other"] });
});

test("a hundred add-ons, and another umask", async () => {
  using host = await FixtureHost.make();
  const names = Array.from({ length: 100 }, (_, index) => `n${index}`);
  const addons = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await addon(name)] as const)));
  const on = await made(host, addons as never);
  const umask = process.umask(0o077);
  try {
    assert.equal((await add(on, { scoped: names })).length, 100);
  } finally {
    process.umask(umask);
  }
  assert.equal(addonsOfHost(placesOf(on)).addons.length, 100);
  for (const { path } of addonsOfHost(placesOf(on)).addons) {
    assert.deepEqual(onEsp(on, path), Buffer.from(addons[/n\d+(?=\.addon)/.exec(path)?.[0] ?? ""] ?? ""));
  }
});

test("a folder that is no folder is no host without add-ons", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  assert.deepEqual(addonsOfHost(placesOf(on)).addons, []);
  host.writeEsp("loader/addons", "a file");
  assert.deepEqual(addonsOfHost(placesOf(on)).addons, []);
  await assert.rejects(add(on, { global: ["site"] }));
  assert.equal(readFileSync(join(host.bootDirectory, "loader/addons"), "utf8"), "a file");
});

test("a deployment without UKI has no add-ons", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  const booted = { ...on.booted, origin: { ...on.booted.origin, bootType: "bls" as const } };
  await assert.rejects(addAddons(placesOf(on), booted, { scoped: ["debug"], global: [] }, on.options), {
    code: "unsupported",
    message: `Cannot add the add-on debug: deployment ${booted.deploymentId} has no UKI that would read it`,
  });
});

test("gc keeps add-ons of deployments and global ones, and takes what interrupted work left beside them", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  await add(on, { scoped: ["debug"], global: ["site"] });
  const folder = dirname(scopedPath(on.booted.deploymentId, "debug"));
  const left = [`loader/addons/.sealroot-boot-${"0".repeat(16)}`, `${folder}/.sealroot-boot-${"1".repeat(16)}`];
  for (const path of left) host.writeEsp(path, "left");
  host.writeEsp(scopedPath("7".repeat(128), "old"), DEBUG);
  const options = { scope: "boot", preparedImage: undefined, events: silent } as const;
  const planned = await collectHost(placesOf(on), { ...options, dryRun: true });
  const { bootFiles, problems } = await collectHost(placesOf(on), { ...options, dryRun: false });
  assert.deepEqual(problems, []);
  assert.deepEqual(planned.bootFiles, bootFiles);
  assert.deepEqual(
    bootFiles.map(({ path }) => path).sort(),
    [dirname(scopedPath("7".repeat(128), "old")), ...left].sort(),
  );
  assert.deepEqual(
    addonsOfHost(placesOf(on)).addons.map(({ name }) => name),
    ["site", "debug"],
  );
});

test("fsck knows add-ons, and --repair mends them from the image", async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  await add(on, { scoped: ["debug"], global: ["site"] });
  await host.fillEtc(on.booted.deploymentId, join(host.physicalRoot, "state/deploy", on.booted.deploymentId, "etc"));
  const sound = await checkHost(placesOf(on), silent);
  assert.deepEqual([sound.faults, sound.notes], [[], []]);
  assert.equal(sound.checked.bootFiles, 3);
  const scoped = scopedPath(on.booted.deploymentId, "debug");
  const damaged = (bytes: Uint8Array) => Buffer.from(bytes).fill(0x21, 1024, 1100);
  host.writeEsp(scoped, damaged(DEBUG));
  host.writeEsp(globalPath("site"), damaged(SITE));
  const found = await checkHost(placesOf(on), silent);
  assert.deepEqual(
    found.faults.map(({ kind, subject, repairable }) => [kind, subject, repairable]),
    [
      ["boot-file-damaged", `ESP:/${scoped}`, true],
      ["boot-file-damaged", `ESP:/${globalPath("site")}`, true],
    ],
  );
  host.writeEsp(`loader/addons/.sealroot-boot-${"0".repeat(16)}`, "left");
  const repaired = await repairHost(placesOf(on), { sources: [], policy: "accept-anything", events: silent });
  assert.deepEqual([repaired.after.faults, repaired.failures], [[], []]);
  assert.deepEqual([onEsp(on, scoped), onEsp(on, globalPath("site"))], [Buffer.from(DEBUG), Buffer.from(SITE)]);
  assert.deepEqual(readdirSync(join(host.bootDirectory, "loader/addons")), ["bootc_composefs-site.addon.efi"]);
  // A whole one of a deployment that is gone is worth a remark.
  host.writeEsp(globalPath("site"), await addon("site=south"));
  host.writeEsp(globalPath("mine"), "of nobody");
  const other = await checkHost(placesOf(on), silent);
  assert.deepEqual(
    [other.faults, other.notes],
    [[], [`ESP:/${globalPath("site")} is not the add-on of any deployment`]],
  );
});

test("a soft reboot leads to a deployment with the same add-ons only", async () => {
  using host = await FixtureHost.make();
  const one = await host.add({ beside: inImage({ scoped: { debug: DEBUG } }) });
  const two = await host.add({ files: [{ path: "usr/bin/two", content: "2" }] });
  host.menu(one, two);
  const capable = async () => (await readHost(host.places(one))).rollback?.softRebootCapable;
  assert.equal(await capable(), true);
  host.writeEsp(scopedPath(one, "debug"), DEBUG);
  assert.equal(await capable(), false);
  host.writeEsp(scopedPath(two, "debug"), DEBUG);
  assert.equal(await capable(), true);
});

test("no room on the ESP is said before anything is written", { skip: process.getuid?.() !== 0 }, async () => {
  using host = await FixtureHost.make();
  const on = await made(host);
  const { execFileSync } = await import("node:child_process");
  const small = join(host.path, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", small]);
  try {
    execFileSync("cp", ["-a", join(host.bootDirectory, "loader"), small]);
    const places = { ...placesOf(on), bootDirectory: small };
    await assert.rejects(addAddons(places, on.booted, { scoped: ["debug"], global: ["site"] }, on.options), {
      code: "no-space",
      message: /^Cannot write the boot files: .* needed, .* free on the ESP$/,
    });
    assert.ok(!existsSync(join(small, "EFI")) && !existsSync(join(small, "loader/addons")));
  } finally {
    execFileSync("umount", [small]);
  }
});
