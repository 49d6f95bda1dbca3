/** What the boots of new deployments leave, and what becomes of it. */

import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  BOOT_REPORT_VENDOR,
  type BootReport,
  bootReportVariable,
  EMPTY_BOOT_SLOT,
  formatBootReportVariable,
} from "../../src/bootplan/index.ts";
import {
  failedBootLines,
  failedBoots,
  failedBootsPath,
  forgetFailedImage,
  prepareBootSlots,
  readBootReports,
  readFailedBoots,
  readHost,
  recordBoot,
  recordFailedBoot,
  refuseFailedImage,
  removeBootSlots,
  statusDocument,
  statusText,
  writeBootReport,
  writeHealthReport,
} from "../../src/host/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { FixtureHost } from "./fixture-host.ts";

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/status.json"), "utf8"));
const NOW = new Date("2026-11-29T18:00:00Z");
const BOOT_ID = "0123456789abcdef".repeat(2);
const NOT_COUNTED = { entry: undefined };
const OTHER_FILES = [{ path: "usr/bin/new", content: "n".repeat(200) }];

/** A host that runs `old`, with `recent` in front of it in the menu and a counter in that entry's name. */
async function triedHost(counter: string) {
  const host = await FixtureHost.make();
  const old = await host.add();
  const recent = await host.add({ files: OTHER_FILES, imageReference: "docker://quay.io/example/os:2" });
  host.menu(recent, old);
  const entries = join(host.bootDirectory, "loader/entries");
  const [, name = ""] = readdirSync(entries).sort();
  renameSync(join(entries, name), join(entries, name.replace(/\.conf$/, `${counter}.conf`)));
  prepareBootSlots(host.physicalRoot);
  const report = (tries: number, stage: BootReport["stage"], failure?: BootReport["failure"]) =>
    writeBootReport(host.physicalRoot, {
      ...{ stage, tries, bootId: BOOT_ID, entry: name, deploymentId: recent },
      ...(failure && { failure }),
    });
  return { host, old, recent, name, entries, report, menu: () => readdirSync(entries).sort() };
}

const slots = (host: FixtureHost) => join(host.physicalRoot, "state/sealroot/boots");

test("slots are made empty, with room for a whole report each, and are written in place", async () => {
  using host = await FixtureHost.make();
  prepareBootSlots(host.physicalRoot);
  const names = ["1", "2", "3", "4", "5", "6", "7", "8"];
  assert.deepEqual(readdirSync(slots(host)).sort(), names);
  for (const name of names) assert.equal(readFileSync(join(slots(host), name), "latin1"), EMPTY_BOOT_SLOT);
  assert.deepEqual(await readBootReports(host), []);
  const report: BootReport = {
    stage: "system",
    tries: 2,
    bootId: BOOT_ID,
    entry: "x.conf",
    deploymentId: "ab".repeat(64),
  };
  assert.equal(writeBootReport(host.physicalRoot, report), true);
  assert.equal(writeBootReport(host.physicalRoot, { ...report, tries: 12 }), true);
  assert.deepEqual(await readBootReports(host), [report, { ...report, tries: 12 }]);
  for (const name of names) assert.equal(readFileSync(join(slots(host), name)).length, EMPTY_BOOT_SLOT.length);
  prepareBootSlots(host.physicalRoot);
  assert.deepEqual(await readBootReports(host), []);
  removeBootSlots(host.physicalRoot);
  removeBootSlots(host.physicalRoot);
  assert.equal(writeBootReport(host.physicalRoot, report), false);
  assert.deepEqual(readdirSync(join(host.physicalRoot, "state/sealroot")), []);
});

test("what else is in place of a slot is neither read nor written", async () => {
  using host = await FixtureHost.make();
  const report: BootReport = { stage: "system", tries: 1, bootId: BOOT_ID, entry: "x.conf", deploymentId: undefined };
  mkdirSync(slots(host), { recursive: true });
  writeFileSync(join(host.path, "victim"), "whole");
  symlinkSync(join(host.path, "victim"), join(slots(host), "1"));
  mkdirSync(join(slots(host), "2"));
  writeFileSync(join(slots(host), "3"), "x".repeat(100_000));
  assert.equal(writeBootReport(host.physicalRoot, report), false);
  assert.equal(writeBootReport(host.physicalRoot, { ...report, tries: 2 }), false);
  assert.deepEqual(await readBootReports(host), []);
  assert.equal(readFileSync(join(host.path, "victim"), "utf8"), "whole");
});

test("a boot that is counted and came up is good, and nothing of its tries is left", async () => {
  const { host, recent, name, report, menu } = await triedHost("+1-2");
  using _ = host;
  report(1, "system");
  const places = host.places(recent);
  const boot = { entry: name };
  assert.deepEqual(await recordBoot(places, { boot, now: NOW }), { blessed: name, failed: [] });
  assert.ok(menu().includes(name));
  assert.equal(existsSync(slots(host)), false);
  assert.deepEqual(await recordBoot(places, { boot, now: NOW }), { blessed: undefined, failed: [] });
  assert.equal(existsSync(failedBootsPath(host.physicalRoot)), false);
});

test("a boot that nobody counts blesses nothing, and a deployment with tries left is still being tried", async () => {
  const { host, old, recent, menu, report } = await triedHost("+2-1");
  using _ = host;
  report(1, "system");
  const before = menu();
  for (const [id, boot] of [
    [old, NOT_COUNTED],
    [recent, NOT_COUNTED],
    [recent, { entry: "other.conf" }],
    [old, { entry: "bootc_test-1-1.conf" }],
  ] as const) {
    assert.deepEqual(await recordBoot(host.places(id), { boot, now: NOW }), { blessed: undefined, failed: [] });
  }
  assert.deepEqual(menu(), before);
  assert.equal((await readBootReports(host)).length, 1);
});

test("after a fall-back: recorded with what failed, told by status, last in the menu, and refused", async () => {
  const { host, old, recent, report, menu } = await triedHost("+0-3");
  using _ = host;
  report(1, "system");
  report(3, "boot-program-failed", { message: "Cannot use the root image: no", expected: "a", actual: "b" });
  const places = host.places(old);
  const origin = (await readHost(places)).rollback?.origin;
  const { blessed, failed } = await recordBoot(places, { boot: NOT_COUNTED, now: NOW });
  assert.equal(blessed, undefined);
  const expected = {
    deploymentId: recent,
    manifestDigest: origin?.manifestDigest,
    imageReference: "docker://quay.io/example/os:2",
    tries: 3,
    fellBackTo: old,
    time: "2026-11-29T18:00:00.000Z",
    step: "initramfs",
    failure: { message: "Cannot use the root image: no", expected: "a", actual: "b" },
    bootIds: [BOOT_ID, BOOT_ID],
  };
  assert.deepEqual(failed, [expected]);
  assert.deepEqual(readFailedBoots(host.physicalRoot), [expected]);
  assert.equal(existsSync(slots(host)), false);
  // Also for readers that know nothing of counters.
  const read = await readHost(places);
  assert.deepEqual(
    read.entries.map(({ deploymentId, entry }) => [deploymentId, entry.sortKey?.at(-1)]),
    [
      [old, "0"],
      [recent, "1"],
    ],
  );
  assert.equal(read.rollbackQueued, false);
  assert.equal(menu().filter((name) => name.includes("+0-3")).length, 1);
  const lines = [
    "Automatic rollback at 2026-11-29T18:00:00.000Z, after 3 tries:",
    `  From:     quay.io/example/os:2 ${recent.slice(0, 12)}…`,
    `  To:       ${old.slice(0, 12)}…`,
    "  Failed:   in the boot program: Cannot use the root image: no",
    "  Expected: a",
    "  Found:    b",
    `  Log:      journalctl --boot=${BOOT_ID}`,
  ];
  assert.deepEqual(failed.flatMap(failedBootLines), lines);
  const text = statusText(read, { bootedOnly: false, verbose: false });
  assert.deepEqual(text.slice(text.indexOf(lines[0] ?? "")), lines);
  const document = statusDocument(read, { withOwn: true });
  assert.deepEqual(faultsOf(SCHEMA, document), []);
  assert.equal(document.sealroot?.failedBoots[0]?.message, "Cannot use the root image: no");
  assert.equal("sealroot" in statusDocument(read), false);
  // Nothing is recorded twice.
  assert.deepEqual((await recordBoot(places, { boot: NOT_COUNTED, now: NOW })).failed, []);

  const image = { deploymentId: recent, manifestDigest: origin?.manifestDigest ?? "" };
  const known = await failedBoots(places);
  assert.throws(() => refuseFailedImage(known, image, "upgrade to", "quay.io/example/os:2"), {
    code: "conflict",
    message:
      "Cannot upgrade to quay.io/example/os:2: this image did not boot on this host in 3 tries: Cannot use the root image: no",
  });
  refuseFailedImage(known, { ...image, manifestDigest: `sha256:${"0".repeat(64)}` }, "upgrade to", "x");
  forgetFailedImage(host.physicalRoot, image);
  assert.deepEqual(readFailedBoots(host.physicalRoot), []);
});

test("a silent failure says how far the boot came", async () => {
  const cases = [
    [[], "boot-loader", /^no try got as far as the boot program/],
    [["initramfs"], "initramfs", /^the boot program did not finish/],
    [["boot-program-failed", "system"], "system", /^the system did not come up/],
  ] as const;
  for (const [stages, step, message] of cases) {
    const { host, old, report } = await triedHost("+0-3");
    using _ = host;
    for (const [index, stage] of stages.entries()) report(index + 1, stage);
    const [failed] = (await recordBoot(host.places(old), { boot: NOT_COUNTED, now: NOW })).failed;
    assert.equal(failed?.step, step);
    assert.match(failed?.failure.message ?? "", message);
  }
});

test("a refusal that had no disk to be written to is found in the firmware, and taken away", async () => {
  const { host, old, recent, name } = await triedHost("+0-3");
  using _ = host;
  const efiVariables = join(host.path, "efivars");
  mkdirSync(efiVariables);
  const failure = { message: "Cannot find the root device: it did not appear in 30 s" };
  const report: BootReport = {
    ...{ stage: "boot-program-failed", tries: 3, bootId: BOOT_ID, entry: name, deploymentId: undefined, failure },
  };
  const variable = (tries: number) => join(efiVariables, `${bootReportVariable(tries)}-${BOOT_REPORT_VENDOR}`);
  writeFileSync(variable(3), `\x07\0\0\0${formatBootReportVariable(report)}`);
  writeFileSync(variable(2), "\x07\0\0\0not a report");
  const places = host.places(old, { efiVariables });
  assert.deepEqual(await readBootReports(places), [report]);
  const bin = join(host.path, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "chattr"), "#!/bin/sh\n");
  chmodSync(join(bin, "chattr"), 0o755);
  const path = process.env.PATH;
  process.env.PATH = `${bin}:${path}`;
  try {
    const [failed] = (await recordBoot(places, { boot: NOT_COUNTED, now: NOW })).failed;
    assert.deepEqual(
      [failed?.deploymentId, failed?.step, failed?.failure, failed?.bootIds],
      [recent, "initramfs", failure, [BOOT_ID]],
    );
  } finally {
    process.env.PATH = path;
  }
  assert.deepEqual(readdirSync(efiVariables), []);
});

test("a failure is known before it is recorded, and to a disk that takes no record", async () => {
  const { host, old, recent } = await triedHost("+0-3");
  using _ = host;
  const places = host.places(old);
  assert.deepEqual(
    (await failedBoots(places)).map(({ deploymentId }) => deploymentId),
    [recent],
  );
  mkdirSync(failedBootsPath(host.physicalRoot));
  await assert.rejects(recordBoot(places, { boot: NOT_COUNTED, now: NOW }));
  assert.ok(existsSync(slots(host)));
});

test("a record that is damaged is a problem of its own", async () => {
  const { host, old } = await triedHost("");
  using _ = host;
  for (const text of ["", "{", "[]", '{"failedBoots":[{}]}', '{"failedBoots":[null]}']) {
    writeFileSync(failedBootsPath(host.physicalRoot), text);
    const { problems, failedBoots: none } = await readHost(host.places(old));
    assert.deepEqual(none, []);
    assert.deepEqual(
      problems.map(({ error }) => [error.code, error.message]),
      [["corrupt", "Cannot read which boots failed: the file is not a record of them"]],
    );
  }
});

test("a deployment that came up after all is forgiven", async () => {
  const { host, old, recent, name, entries, menu } = await triedHost("+0-3");
  using _ = host;
  await recordBoot(host.places(old), { boot: NOT_COUNTED, now: NOW });
  const [bad = ""] = menu().filter((one) => one.includes("+0-3"));
  // Chosen by hand in the menu, which counts on.
  renameSync(join(entries, bad), join(entries, bad.replace("+0-3", "+0-4")));
  const boot = { entry: bad.replace("+0-3", "") };
  assert.equal((await recordBoot(host.places(recent), { boot, now: NOW })).blessed, boot.entry);
  assert.deepEqual(readFailedBoots(host.physicalRoot), []);
  assert.ok(name !== "");
});

test("what failed in a system that came up is written into the slot of its try", async () => {
  const { host, recent, name } = await triedHost("+1-2");
  using _ = host;
  const places = host.places(recent);
  const boot = { bootId: BOOT_ID, entry: name, tries: 2 };
  writeHealthReport(host.runDirectory, [{ name: "10-network", reason: "exit code 1: no gateway" }]);
  const failure = { message: "health check 10-network failed: exit code 1: no gateway" };
  assert.deepEqual(await recordFailedBoot(places, boot), failure);
  assert.deepEqual(await readBootReports(host), [
    { stage: "system-failed", bootId: BOOT_ID, entry: name, deploymentId: recent, tries: 2, failure },
  ]);
  assert.equal(await recordFailedBoot(places, { ...boot, entry: undefined, tries: undefined }), undefined);
});

test("without a health check, the units that failed or are waited for are named", async () => {
  const { host, recent, name } = await triedHost("+1-2");
  using _ = host;
  const bin = join(host.path, "bin");
  mkdirSync(bin);
  const systemctl = (failed: string, jobs: string) => {
    writeFileSync(
      join(bin, "systemctl"),
      `#!/bin/sh\ncase $1 in list-units) printf '${failed}';; *) printf '${jobs}';; esac\n`,
    );
    chmodSync(join(bin, "systemctl"), 0o755);
  };
  const path = process.env.PATH;
  process.env.PATH = `${bin}:${path}`;
  try {
    const message = async () =>
      (await recordFailedBoot(host.places(recent), { bootId: BOOT_ID, entry: name, tries: 1 }))?.message;
    const jobs = "1 multi-user.target start waiting\\n7 slow.service start running\\n";
    systemctl("a.service loaded failed failed A\\nb.mount loaded failed failed B\\n", jobs);
    assert.equal(await message(), "the system did not come up: failed a.service, b.mount");
    systemctl("", jobs);
    assert.equal(await message(), "the system did not come up in time: waiting for slow.service");
    systemctl("", "");
    assert.equal(await message(), "the system did not come up: boot-complete.target was not reached");
    systemctl([..."abcdefg"].map((unit) => `${unit}.service loaded failed failed\\n`).join(""), "");
    assert.match((await message()) ?? "", /failed a.service, b.service, c.service, d.service, e.service and 2 more$/);
    writeFileSync(join(bin, "systemctl"), "#!/bin/sh\nexit 1\n");
    assert.equal(await message(), "the system did not come up: boot-complete.target was not reached");
  } finally {
    process.env.PATH = path;
  }
});
