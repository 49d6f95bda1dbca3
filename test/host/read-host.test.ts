/** Hosts as they are found: whole ones, and each kind of broken one. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Host, type HostPlaces, readHost, statusDocument, statusJson, statusText } from "../../src/host/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { FixtureHost } from "./fixture-host.ts";

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/status.json"), "utf8"));
const OTHER_FILES = [{ path: "usr/bin/new", content: "n".repeat(200) }];
const names = ({ problems }: Host) => problems.map(({ subject, error }) => [subject, error.code, error.message]);

test("booted and rollback, as bootc tells them", async () => {
  using host = await FixtureHost.make();
  const older = await host.add({ rank: "secondary" });
  const booted = await host.add({ files: OTHER_FILES, imageReference: "docker://quay.io/example/os:2" });
  const read = await readHost(host.places(booted));
  assert.deepEqual(read.problems, []);
  assert.equal(read.booted?.deploymentId, booted);
  assert.equal(read.rollback?.deploymentId, older);
  assert.deepEqual(read.others, []);
  assert.equal(read.rollbackQueued, false);
  const { manifestDigest, bootDigest } = read.booted?.origin ?? {};
  assert.match(manifestDigest ?? "", /^sha256:[0-9a-f]{64}$/);
  const entry = (verity: string, image: string, digest: string | undefined, softRebootCapable: boolean) => ({
    cachedUpdate: null,
    composefs: { bootDigest, bootType: "Uki", bootloader: "systemd", missingVerityAllowed: false, verity },
    downloadOnly: false,
    image: {
      architecture: "amd64",
      image: { image, transport: "registry" },
      imageDigest: digest,
      timestamp: null,
      version: null,
    },
    incompatible: false,
    ostree: null,
    pinned: false,
    softRebootCapable,
    store: null,
  });
  assert.equal(
    statusJson(statusDocument(read)),
    JSON.stringify({
      apiVersion: "org.containers.bootc/v1",
      kind: "BootcHost",
      metadata: { name: "host" },
      spec: { bootOrder: "default", image: { image: "quay.io/example/os:2", transport: "registry" } },
      status: {
        booted: entry(booted, "quay.io/example/os:2", manifestDigest, false),
        readOnly: false,
        rollback: entry(older, "quay.io/example/os:1", read.rollback?.origin.manifestDigest, true),
        rollbackQueued: false,
        staged: null,
        type: null,
        usrOverlay: null,
      },
    }),
  );
  assert.deepEqual(statusText(read, { bootedOnly: false, verbose: false }), [
    "● Booted image: quay.io/example/os:2",
    `        Digest: ${manifestDigest} (amd64)`,
    `        Verity: ${booted}`,
    "",
    "  Rollback image: quay.io/example/os:1",
    `          Digest: ${read.rollback?.origin.manifestDigest} (amd64)`,
    `          Verity: ${older}`,
  ]);
  assert.equal(statusDocument(read, { bootedOnly: true }).status.rollback, null);
  assert.deepEqual(faultsOf(SCHEMA, statusDocument(read)), []);
});

test("a staged deployment, download-only or not; what /run does not name is not staged", async () => {
  using host = await FixtureHost.make();
  const booted = await host.add();
  const staged = await host.add({ files: OTHER_FILES });
  const entries = join(host.bootDirectory, "loader/entries");
  const both = readFileSync(join(entries, "bootc_testos-1.0-1.conf"));
  mkdirSync(join(host.bootDirectory, "loader/entries.staged"));
  writeFileSync(join(host.bootDirectory, "loader/entries.staged/bootc_testos-1.0-1.conf"), both);
  writeFileSync(join(entries, "bootc_testos-1.0-1.conf"), both.toString("utf8").replace(staged, booted));
  assert.equal((await readHost(host.places(booted))).staged, undefined);
  mkdirSync(join(host.runDirectory, "composefs"));
  for (const locked of [false, true]) {
    const record = JSON.stringify({ depl_id: staged, finalization_locked: locked });
    writeFileSync(join(host.runDirectory, "composefs/staged-deployment"), record);
    const read = await readHost(host.places(booted));
    assert.deepEqual(names(read), []);
    assert.equal(read.staged?.deploymentId, staged);
    assert.equal(read.staged?.downloadOnly, locked);
    assert.equal(read.booted?.deploymentId, booted);
    assert.equal(read.rollback, undefined);
    assert.match(
      statusText(read, { bootedOnly: false, verbose: true }).join("\n"),
      new RegExp(`Download-only: ${locked ? "yes" : "no"}`),
    );
  }
});

test("another entry first is a queued rollback", async () => {
  using host = await FixtureHost.make();
  const first = await host.add();
  const booted = await host.add({ rank: "secondary", files: OTHER_FILES });
  const read = await readHost(host.places(booted));
  assert.equal(read.rollback?.deploymentId, first);
  assert.equal(read.rollbackQueued, true);
  assert.equal(statusDocument(read).spec.bootOrder, "rollback");
});

test("each broken thing is told of by itself, and nothing else is hidden", async () => {
  using host = await FixtureHost.make();
  const lost = await host.add({ rank: "secondary" });
  const booted = await host.add({ files: OTHER_FILES });
  const state = (id: string) => join(host.physicalRoot, "state/deploy", id);
  rmSync(join(state(lost), `${lost}.origin`));
  const odd = "f".repeat(128);
  mkdirSync(state(odd));
  writeFileSync(join(state(odd), `${odd}.origin`), "[origin]\n");
  mkdirSync(state("lost+found"));
  host.writeEsp("loader/entries/bogus.conf", "options composefs=bad-verity\n");
  host.writeEsp("loader/entries/nowhere.conf", `version 1\nlinux /k\noptions composefs=${"e".repeat(128)}\n`);
  mkdirSync(join(host.runDirectory, "composefs"));
  writeFileSync(join(host.runDirectory, "composefs/staged-deployment"), "{");
  const read = await readHost(host.places(booted));
  assert.equal(read.booted?.deploymentId, booted);
  assert.equal(read.rollback, undefined);
  assert.deepEqual(
    names(read).map(([subject, code, message]) => [subject, code, message?.replaceAll(host.path, "")]),
    [
      [lost, "not-found", `No origin file for deployment ${lost}`],
      [
        odd,
        "corrupt",
        `Cannot read origin file /sysroot/state/deploy/${odd}/${odd}.origin: container-image-reference is missing`,
      ],
      ["staged", "corrupt", "Cannot read which deployment is staged: the file is not a record of one"],
      ["bogus.conf", "corrupt", 'Cannot parse boot entry /esp/loader/entries/bogus.conf: the key "version" is missing'],
      ["e".repeat(128), "not-found", "Boot entry nowhere.conf starts a deployment that has no state directory"],
    ],
  );
  const text = statusText(read, { bootedOnly: false, verbose: false });
  assert.ok(text.includes("Problems:"));
  assert.ok(text.includes(`  ${lost.slice(0, 12)}…: No origin file for deployment ${lost}`));
});

test("without repository, boot entries or UKI the rest is shown", async () => {
  using host = await FixtureHost.make();
  const booted = await host.add();
  rmSync(join(host.bootDirectory, "EFI"), { recursive: true });
  rmSync(join(host.physicalRoot, "composefs"), { recursive: true });
  const read = await readHost(host.places(booted));
  assert.equal(read.booted?.deploymentId, booted);
  assert.equal(read.booted?.image, undefined);
  assert.equal(statusDocument(read).status.booted?.image, null);
  assert.deepEqual(
    names(read).map(([subject, code]) => [subject?.replace(host.path, ""), code]),
    [
      ["/sysroot/composefs", "not-found"],
      [booted, "not-found"],
    ],
  );
  const without = await readHost(host.places(booted, { bootDirectory: undefined }));
  assert.equal(without.booted?.deploymentId, booted);
  assert.equal(without.booted?.entry, undefined);
  assert.ok(names(without).some(([, , message]) => message === "The booted deployment has no usable boot entry"));
});

test("a deployment that runs from its second image is the booted one", async () => {
  using host = await FixtureHost.make();
  const id = await host.add({
    commandLine: (first, images) => {
      const fallback = images.find(({ version }) => version === 2)?.id ?? "";
      return `composefs.digest=v1-sha512-12:${first} composefs=${fallback} rw`;
    },
  });
  const uki = readFileSync(join(host.bootDirectory, `EFI/Linux/bootc/bootc_composefs-${id}.efi`), "latin1");
  const fallback = / composefs=([0-9a-f]{128})/.exec(uki)?.[1] ?? "";
  const read = await readHost(host.places(fallback));
  assert.deepEqual(names(read), []);
  assert.equal(read.booted?.deploymentId, id);
});

test("the room on both file systems, and the tries that are left", async () => {
  using host = await FixtureHost.make();
  const booted = await host.add();
  const entries = join(host.bootDirectory, "loader/entries");
  const [name = ""] = readdirSync(entries);
  renameSync(join(entries, name), join(entries, name.replace(".conf", "+2-1.conf")));
  const read = await readHost(host.places(booted));
  assert.deepEqual(
    read.space.map(({ place, totalBytes, freeBytes }) => [place, totalBytes > freeBytes && freeBytes > 0]),
    [
      ["ESP", true],
      ["root", true],
    ],
  );
  const document = statusDocument(read, { withOwn: true });
  assert.deepEqual(faultsOf(SCHEMA, JSON.parse(JSON.stringify(document))), []);
  assert.deepEqual(document.sealroot?.triesLeft, [{ verity: booted, tries: 2 }]);
  const lines = statusText(read, { bootedOnly: false, verbose: true });
  assert.ok(lines.includes("    Tries left: 2"), lines.join("\n"));
  assert.match(lines.join("\n"), /^Room on the ESP: .* of .* free\nRoom on the root file system: .* of .* free$/m);
});

test("a deployment with another SELinux policy needs a reboot, where SELinux is on", async () => {
  using host = await FixtureHost.make();
  const folders = ["", "/targeted", "/targeted/contexts", "/targeted/contexts/files", "/targeted/policy"];
  const policy = (name: string, content: string) => [
    ...folders.map((path) => ({ path: `etc/selinux${path}` })),
    { path: "etc/selinux/config", content: "SELINUX=enforcing\nSELINUXTYPE=targeted\n" },
    { path: "etc/selinux/targeted/contexts/files/file_contexts", content: "/.* system_u:object_r:root_t:s0\n" },
    { path: `etc/selinux/targeted/policy/${name}`, content },
    { path: "etc/selinux/targeted/policy/policy.9", content: "older" },
  ];
  const booted = await host.add({ files: policy("policy.33", "one") });
  const same = await host.add({ files: [...policy("policy.33", "one"), { path: "usr/bin/new", content: "new" }] });
  const other = await host.add({ files: policy("policy.33", "two") });
  const none = await host.add({ files: [{ path: "usr/bin/newer", content: "newer" }] });
  host.menu(booted, same, other, none);
  const selinuxEtc = join(host.path, "etc");
  await host.fillEtc(booted, selinuxEtc);
  const capable = async (places: HostPlaces) => {
    const { rollback, others } = await readHost(places);
    return [rollback, ...others].map((one) => [one?.deploymentId, one?.softRebootCapable]);
  };
  const places = host.places(booted);
  const [yes, no] = [true, false];
  assert.deepEqual(await capable(places), [
    [same, yes],
    [other, yes],
    [none, yes],
  ]);
  assert.deepEqual(await capable({ ...places, selinuxEtc }), [
    [same, yes],
    [other, no],
    [none, no],
  ]);
  rmSync(join(selinuxEtc, "selinux"), { recursive: true });
  assert.deepEqual(await capable({ ...places, selinuxEtc }), [
    [same, no],
    [other, no],
    [none, yes],
  ]);
});
