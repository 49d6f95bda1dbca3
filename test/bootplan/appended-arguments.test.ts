import assert from "node:assert/strict";
import { test } from "node:test";
import { planBoot, refuseOtherWays, refuseSecondCredentialsWord } from "../../src/bootplan/index.ts";

const NO = "systemd.import_credentials=no";

test("refuseSecondCredentialsWord() refuses a second one in every spelling that systemd reads", () => {
  for (const one of ["rw", `rw ${NO}`, "systemd.import_credentials", `x.${NO}`, `a=${NO} ${NO}`]) {
    refuseSecondCredentialsWord(`${one}\n`);
  }
  for (const second of [
    NO,
    "systemd.import_credentials=yes",
    "systemd.import-credentials=yes",
    "systemd.import_credentials",
    "rd.systemd.import_credentials=1",
    "rd.systemd.import-credentials=1",
    '"systemd.import_credentials=yes"',
    'systemd.import_credentials="yes"',
    'systemd.import_cred"entials"=yes',
    "'systemd.import_credentials=yes'",
    "systemd.import\\_credentials=yes",
    "\tsystemd.import_credentials=yes",
  ]) {
    assert.throws(() => refuseSecondCredentialsWord(`rw ${NO} ${second}\n`), {
      code: "untrusted",
      message: "Cannot go on: 2 times systemd.import_credentials= on the kernel command line, at most 1 expected",
    });
  }
  const many = Array(100).fill(NO).join(" ");
  assert.throws(() => refuseSecondCredentialsWord(many), { message: /: 100 times systemd/ });
});

test("planBoot() refuses it as well", () => {
  const composefs = `composefs=${"ab".repeat(64)}`;
  const inputs = { configuration: undefined, permit: composefs };
  assert.equal(planBoot({ ...inputs, commandLine: `${composefs} rw ${NO}` }).etc, "bind");
  assert.throws(() => planBoot({ ...inputs, commandLine: `${composefs} rw ${NO} rd.${NO}` }), { code: "untrusted" });
});

test("refuseOtherWays() refuses what init of initramfs-tools would see, inside quotes too", () => {
  for (const one of ["rw quiet", "reboot=k", "bootx=1", "xboot=nfs break_=1", "panic=10", "BOOTIF=01-23"]) {
    refuseOtherWays(one);
  }
  for (const [line, word] of [
    ["rw boot=local", "boot=local"],
    ["boot=nfs", "boot=nfs"],
    ["boot=", "boot="],
    ["boot", "boot"],
    ["rw break", "break"],
    ["rw break=mount quiet", "break=mount"],
    ['x="a boot=local b"', "boot=local"],
    ["x='a boot=local'", "boot=local"],
    ["a\tboot=local\n", "boot=local"],
  ] as const) {
    assert.throws(() => refuseOtherWays(line), {
      code: "untrusted",
      message: `Cannot go on: "${word}" on the kernel command line leads past the sealed root`,
    });
  }
});
