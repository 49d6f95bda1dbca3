import assert from "node:assert/strict";
import { test } from "node:test";
import { BootPhases } from "../../initramfs/boot-phases.ts";
import { openEncryptedRoot, type UnlockSituation } from "../../initramfs/encrypted-root.ts";
import type { BlockDevice } from "../../src/bootplan/index.ts";
import { luksHeader, METADATA } from "../bootplan/luks-header.ts";
import { BIN, type FakeMachine, fakeMachine } from "./fake-system.ts";

const PARTITION: BlockDevice = {
  ...{ name: "vda3", disk: "vda", isPart: false },
  properties: new Map([["TYPE", "crypto_LUKS"]]),
};
const SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const MEASURED = "/sys/firmware/efi/efivars/StubPcrKernelImage-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
const KEY = "cccbcdce-cfcgchci-cjckclcn-crctcucv-bcbbbdbe-bfbgbhbi-bjbkblbn-brbtbubv";
const SLOT = METADATA.keyslots["0"];

type Slots = readonly ("recovery" | "open" | "tpm2")[];

function header(slots: Slots): Uint8Array {
  const keyslots = Object.fromEntries(slots.map((_, number) => [number, SLOT]));
  const tokens = Object.fromEntries(
    slots.flatMap((use, number) =>
      use === "open" ? [] : [[number, { type: `systemd-${use}`, keyslots: [`${number}`] }]],
    ),
  );
  return luksHeader({ ...METADATA, keyslots, tokens });
}

interface Opened {
  readonly machine: FakeMachine;
  readonly situation: UnlockSituation;
  /** Secrets that systemd-cryptsetup was given, in order; `TPM` for the TPM. */
  readonly tried: string[];
}

/** A measured machine with Secure Boot and these key slots, which `opens` says what opens. */
function machineWith(slots: Slots, opens: (secret: string) => boolean): Opened {
  const machine = fakeMachine({
    [`${BIN}/systemd-cryptsetup`]: "",
    [`${BIN}/systemd-cryptenroll`]: "",
    "/dev/vda3": header(slots),
    "/dev/tpmrm0": "",
    [SECURE_BOOT]: Uint8Array.of(6, 0, 0, 0, 1),
    [MEASURED]: Buffer.concat([Buffer.from([6, 0, 0, 0]), Buffer.from("11\0", "utf16le")]),
    "/.extra/tpm2-pcr-public-key.pem": "key",
    "/.extra/tpm2-pcr-signature.json": "{}",
  });
  machine.exchanges.push(Uint8Array.of(0x80, 2, 0, 0, 0, 10, 0, 0, 0, 0));
  const situation = { phases: BootPhases.enter(machine), canFallBack: false };
  machine.log.length = 0;
  const tried: string[] = [];
  machine.answers.set("systemd-cryptsetup", ([, , , keyFile = ""]) => {
    const secret = keyFile === "-" ? "TPM" : Buffer.from(machine.readBytes(keyFile) ?? "?").toString();
    tried.push(secret);
    return opens(secret) ? {} : { status: 1, output: Buffer.from("Failed to unseal\nNo luck here.\n") };
  });
  return { machine, situation, tried };
}

const FOLDER = "/run/sealroot";
const attach = (keyFile: string, more = "") =>
  `systemd-cryptsetup attach root /dev/vda3 ${keyFile} luks,header=${FOLDER}/root-header,headless=1,tries=1,token-timeout=1s${more}`;
const BY_TPM = attach("-", ",tpm2-device=auto,tpm2-signature=/.extra/tpm2-pcr-signature.json");
const BY_SECRET = attach(`${FOLDER}/root-secret`);
const BIND = [
  `systemd-cryptenroll --unlock-key-file=${FOLDER}/root-secret --tpm2-device=auto`,
  "--tpm2-public-key=/.extra/tpm2-pcr-public-key.pem --tpm2-signature=/.extra/tpm2-pcr-signature.json",
  "--tpm2-public-key-pcrs=11 --tpm2-pcrs=7",
].join(" ");
const programs = ({ log }: FakeMachine) => log.filter((line) => !line.startsWith("mkdir "));

test("a bound root is opened by the TPM, from a copy of the header that does not stay", () => {
  const { machine, situation, tried } = machineWith(["recovery", "tpm2"], (secret) => secret === "TPM");
  let copy: Uint8Array | undefined;
  const answer = machine.answers.get("systemd-cryptsetup");
  machine.answers.set("systemd-cryptsetup", (args) => {
    copy = machine.readBytes(`${FOLDER}/root-header`);
    return answer?.(args) ?? {};
  });
  assert.equal(openEncryptedRoot(machine, PARTITION, situation), "/dev/mapper/root");
  assert.deepEqual(programs(machine), [BY_TPM]);
  assert.deepEqual(tried, ["TPM"]);
  assert.equal(Buffer.compare(copy ?? Buffer.of(), header(["recovery", "tpm2"])), 0);
  assert.deepEqual(machine.reports, []);
  for (const name of ["root-header", "root-secret"]) assert.equal(machine.readBytes(`${FOLDER}/${name}`), undefined);
});

test("a root that is open is bound to the TPM, and closed", () => {
  const { machine, situation, tried } = machineWith(["recovery", "open"], (secret) => secret === "");
  openEncryptedRoot(machine, PARTITION, situation);
  assert.deepEqual(programs(machine), [BY_SECRET, `${BIND} --wipe-slot=empty,tpm2 /dev/vda3`]);
  assert.deepEqual(tried, [""]);
  assert.deepEqual(machine.reports, [
    "information: the root volume is bound to this machine's TPM; only its recovery key opens it elsewhere",
  ]);
});

test("a machine that was switched off between the two steps only takes the empty passphrase away", () => {
  const { machine, situation } = machineWith(["recovery", "open", "tpm2"], () => true);
  openEncryptedRoot(machine, PARTITION, situation);
  assert.deepEqual(programs(machine), [BY_TPM, "systemd-cryptenroll --wipe-slot=empty /dev/vda3"]);
});

test("a half-made slot of the TPM that opens nothing is made anew", () => {
  const { machine, situation } = machineWith(["recovery", "open", "tpm2"], (secret) => secret === "");
  openEncryptedRoot(machine, PARTITION, situation);
  assert.deepEqual(programs(machine), [BY_TPM, BY_SECRET, `${BIND} --wipe-slot=empty,tpm2 /dev/vda3`]);
});

for (const [what, change, reason] of [
  ["Secure Boot", ({ machine }) => machine.files.set(SECURE_BOOT, Uint8Array.of(6, 0, 0, 0, 0)), "Secure Boot is off"],
  ["a TPM", ({ machine }) => machine.files.delete("/dev/tpmrm0"), "there is no TPM"],
  [
    "policies in the UKI",
    ({ machine }) => machine.files.delete("/.extra/tpm2-pcr-signature.json"),
    "the UKI brings no signed policies",
  ],
  [
    "success of systemd-cryptenroll",
    ({ machine }) =>
      machine.answers.set("systemd-cryptenroll", () => ({ status: 1, output: Buffer.from("It is full.\n") })),
    "It is full.",
  ],
] as const satisfies readonly [string, (opened: Opened) => unknown, string][]) {
  test(`an open root boots without ${what}, and stays open, which is said`, () => {
    const opened = machineWith(["recovery", "open"], (secret) => secret === "");
    change(opened);
    assert.equal(openEncryptedRoot(opened.machine, PARTITION, opened.situation), "/dev/mapper/root");
    assert.deepEqual(opened.machine.reports, [
      `failure: the root volume stays open for everybody who has the disk: ${reason}`,
    ]);
  });
}

test("a boot that is not measured binds nothing", () => {
  const { machine } = machineWith(["recovery", "open"], (secret) => secret === "");
  openEncryptedRoot(machine, PARTITION, { phases: undefined, canFallBack: false });
  assert.deepEqual(programs(machine), [BY_SECRET]);
  assert.match(machine.reports.join(), /stays open .*: this boot is not measured/);
});

test("without the TPM's consent the recovery key is asked for until it is right; then binding is offered", () => {
  const { machine, situation, tried } = machineWith(["recovery", "tpm2"], (secret) => secret === KEY);
  machine.typed.push("", "wrong", KEY.replaceAll("-", "").toUpperCase(), "yes");
  openEncryptedRoot(machine, PARTITION, situation);
  assert.deepEqual(tried, ["TPM", "wrong", KEY]);
  const ask = "ask sealroot: recovery key (it is not shown): for ever";
  assert.deepEqual(programs(machine), [
    ...[BY_TPM, ask, ask, BY_SECRET, ask, BY_SECRET],
    "ask sealroot: bind the volume to this machine as it is now (type yes, else press return): 90000",
    `${BIND} --wipe-slot=tpm2 /dev/vda3`,
  ]);
  assert.deepEqual(machine.reports, [
    "failure: the root volume /dev/vda3 is encrypted and does not open by itself: No luck here.",
    "failure: no key slot of the root volume opens by that; try again",
    "failure: the root volume is bound",
  ]);
});

test("whoever does not say yes has the volume as it was", () => {
  for (const answer of ["", "no", "y", undefined]) {
    const { machine, situation } = machineWith(["recovery", "tpm2"], (secret) => secret === KEY);
    machine.typed.push(KEY, ...(answer === undefined ? [] : [answer]));
    openEncryptedRoot(machine, PARTITION, situation);
    assert.ok(!machine.log.some((line) => line.startsWith("systemd-cryptenroll")), answer);
  }
});

test("a boot with another system to fall back to gives up when nobody types", () => {
  const { machine, situation } = machineWith(["recovery", "tpm2"], () => false);
  assert.throws(() => openEncryptedRoot(machine, PARTITION, { ...situation, canFallBack: true }), {
    code: "no-access",
    message: "Cannot open the root volume: nobody gave its recovery key",
  });
  assert.ok(machine.log.includes("ask sealroot: recovery key (it is not shown): 90000"));
  assert.equal(machine.readBytes(`${FOLDER}/root-header`), undefined);
});

test("a header that would not encrypt is refused before anything is tried", () => {
  const { machine, situation, tried } = machineWith(["recovery", "tpm2"], () => true);
  const segments = { "0": { ...METADATA.segments["0"], encryption: "cipher_null-ecb" } };
  machine.files.set("/dev/vda3", luksHeader({ ...METADATA, segments }));
  assert.throws(() => openEncryptedRoot(machine, PARTITION, situation), { code: "untrusted" });
  assert.deepEqual([tried, programs(machine)], [[], []]);
});

test("an initramfs without the programs says so", () => {
  const { machine, situation } = machineWith(["recovery", "tpm2"], () => true);
  machine.files.delete(`${BIN}/systemd-cryptenroll`);
  assert.throws(() => openEncryptedRoot(machine, PARTITION, situation), {
    code: "unsupported",
    message: "Cannot open the root partition: it is encrypted, and this initramfs cannot",
  });
});
