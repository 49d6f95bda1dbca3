import assert from "node:assert/strict";
import { test } from "node:test";
import { CountedBoot } from "../../initramfs/counted-boot.ts";
import { refuseBoot } from "../../initramfs/failure.ts";
import { BOOT_SLOT_BYTES, parseBootReport } from "../../src/bootplan/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { type FakeMachine, fakeMachine } from "./fake-system.ts";

const ID = "ab".repeat(64);
const COUNT = "/sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
const SLOTS = "/run/sealroot/physical/state/sealroot/boots";
const BOOT_ID = "0123456789abcdef0123456789abcdef";

function countedMachine(counter: string, commandLine = "rw"): FakeMachine {
  const path = `\\loader\\entries\\bootc_os-2-1${counter}.conf`;
  return fakeMachine({
    [COUNT]: Buffer.concat([Buffer.from([6, 0, 0, 0]), Buffer.from(`${path}\0`, "utf16le")]),
    "/proc/cmdline": commandLine,
    "/proc/sys/kernel/random/boot_id": "01234567-89ab-cdef-0123-456789abcdef\n",
    ...Object.fromEntries(["1", "2", "3", "8"].map((slot) => [`${SLOTS}/${slot}`, "\n"])),
  });
}

/** What was written to slots. */
const written = (machine: FakeMachine) =>
  machine.log.flatMap((line) => {
    const [, slot, text = ""] = /^write (\/proc\/9\S+) (.*)$/s.exec(line) ?? [];
    if (slot === undefined) return [];
    assert.equal(text.length, BOOT_SLOT_BYTES);
    return [{ slot, ...parseBootReport(text) }];
  });

test("a counted boot restarts at a panic, and writes how far it came into the slot of its try", () => {
  const machine = countedMachine("+1-2");
  const boot = CountedBoot.begin(machine);
  assert.ok(machine.directories.has("/run/sealroot/fall-back"));
  assert.deepEqual(machine.log, ["write /proc/sys/kernel/panic 10"]);
  boot.attach(ID);
  boot.reach("system");
  const common = { bootId: BOOT_ID, entry: "bootc_os-2-1.conf", deploymentId: ID, tries: 2 };
  assert.deepEqual(written(machine), [
    { slot: "/proc/9/fd/3", stage: "initramfs", ...common },
    { slot: "/proc/9/fd/3", stage: "system", ...common },
  ]);
});

test("a refusal is written before the machine restarts", () => {
  const machine = countedMachine("+2-1");
  const boot = CountedBoot.begin(machine);
  boot.attach(ID);
  refuseBoot(machine, boot, new SealrootError("untrusted", "Cannot use it: x", { expected: "a", actual: "b" }));
  const [, report] = written(machine);
  assert.deepEqual(report?.failure, { message: "Cannot use it: x", expected: "a", actual: "b" });
  assert.equal(report?.stage, "boot-program-failed");
  const order = machine.log.map((line) => line.slice(0, 25));
  assert.ok(order.indexOf("write /proc/sysrq-trigger") > order.lastIndexOf('write /proc/9/fd/3 {"stage'));
});

test("a refusal without a disk is written into a variable of the firmware, once for each try, and nothing else is", () => {
  const machine = countedMachine("+2-1");
  const boot = CountedBoot.begin(machine);
  const variable = "/sys/firmware/efi/efivars/SealrootBootReport1-c7c86398-9a48-4ddd-a1ce-c716853ca53e";
  boot.reach("initramfs");
  assert.equal(machine.files.has(variable), false);
  refuseBoot(machine, boot, new SealrootError("not-found", `Cannot find the root device: ${"x".repeat(5000)}`));
  const bytes = machine.files.get(variable) as Uint8Array;
  assert.deepEqual([...bytes.subarray(0, 4)], [7, 0, 0, 0]);
  assert.ok(bytes.length <= 1004);
  const report = parseBootReport(Buffer.from(bytes.subarray(4)).toString());
  assert.equal(report?.stage, "boot-program-failed");
  assert.match(report?.failure?.message ?? "", /^Cannot find the root device: x+$/);
  assert.deepEqual([report?.tries, report?.entry, report?.deploymentId], [1, "bootc_os-2-1.conf", undefined]);
  refuseBoot(machine, boot, new Error("again"));
  assert.equal(machine.files.get(variable), bytes);
});

test("an uncounted boot, and one that no restart helps, change and write nothing", () => {
  for (const machine of [fakeMachine({ "/proc/cmdline": "systemd.watchdog_sec=30" }), countedMachine("+0-4")]) {
    const boot = CountedBoot.begin(machine);
    assert.deepEqual(machine.log, []);
    assert.deepEqual([...machine.directories], []);
    if (!machine.files.has(COUNT)) boot.attach(ID);
    boot.reach("system");
    assert.deepEqual(machine.log, []);
  }
});

test("a slot that is missing, a link or no file is left alone", () => {
  const cases: ((machine: FakeMachine) => void)[] = [
    (machine) => machine.files.delete(`${SLOTS}/2`),
    (machine) => machine.files.set(`link:${SLOTS}/2`, "/dev/vda").set("/dev/vda", ""),
    (machine) => machine.files.set(`link:${SLOTS}/2`, `${SLOTS}/1`),
    (machine) => machine.files.delete(`${SLOTS}/2`) && machine.directories.add(`${SLOTS}/2`),
  ];
  for (const change of cases) {
    const machine = countedMachine("+1-2");
    change(machine);
    const boot = CountedBoot.begin(machine);
    boot.attach(ID);
    boot.reach("system");
    assert.deepEqual(written(machine), []);
  }
});

test("tries beyond the last slot take that", () => {
  const machine = countedMachine("+3-12");
  CountedBoot.begin(machine).attach(ID);
  assert.equal(written(machine)[0]?.tries, 12);
});

test("the watchdog is armed where systemd is told to serve it, and nowhere else", () => {
  const armed = (commandLine: string, counter = "+2-1") => {
    const machine = countedMachine(counter, commandLine);
    machine.files.set("/dev/watchdog0", "");
    CountedBoot.begin(machine);
    return machine.log.includes("arm /dev/watchdog0");
  };
  for (const value of ["30", "1min", "default", "0.5"])
    assert.equal(armed(`rw systemd.watchdog_sec=${value}`), true, value);
  for (const value of ["0", "0s", "off", "infinity", ""])
    assert.equal(armed(`systemd.watchdog_sec=${value}`), false, value);
  assert.equal(armed("rw"), false);
  assert.equal(armed("systemd.watchdog_sec=30 systemd.watchdog_sec=0"), false);
  assert.equal(armed("systemd.watchdog_sec=30", "+0-4"), false);
  assert.equal(armed("systemd.watchdog_sec=30", ""), false);
});

test("without a watchdog the boot goes on, and says so", () => {
  const machine = countedMachine("+2-1", "systemd.watchdog_sec=30");
  CountedBoot.begin(machine);
  assert.deepEqual(machine.reports, ["information: there is no watchdog: a hang of this boot is not noticed"]);
});
