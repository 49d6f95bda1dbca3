/** What the TPM is told of the initramfs, and what happens when it cannot be told. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { BootPhases } from "../../initramfs/boot-phases.ts";
import { checkPhaseResponse, phaseCommand } from "../../src/bootplan/index.ts";
import { PcrRegister } from "../../src/tpm/index.ts";
import { SoftwareTpm } from "../judges/software-tpm.ts";
import { fakeMachine } from "./fake-system.ts";

const VARIABLE = "/sys/firmware/efi/efivars/StubPcrKernelImage-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/** Attributes, then the register's number as systemd-stub writes it: UTF-16LE with a NUL. */
const variable = (text: string) => Buffer.concat([Buffer.from([6, 0, 0, 0]), Buffer.from(`${text}\0`, "utf16le")]);
const DONE = Buffer.from("80020000000a00000000", "hex");
const COMMANDS = (["enter-initrd", "leave-initrd"] as const).map(
  (phase) => `exchange /dev/tpmrm0 ${Buffer.from(phaseCommand(phase)).toString("hex")}`,
);

test("a measured boot: the TPM is told when the initramfs begins and when it ends", () => {
  const machine = fakeMachine({ [VARIABLE]: variable("11") });
  machine.exchanges.push(DONE, DONE);
  const phases = BootPhases.enter(machine);
  assert.deepEqual(machine.log, COMMANDS.slice(0, 1));
  phases.leave();
  assert.deepEqual(machine.log, COMMANDS);
  assert.deepEqual(machine.reports, []);
});

test("a boot that nobody measures: the TPM is left alone", () => {
  for (const files of [{}, { [VARIABLE]: variable("12") }, { [VARIABLE]: variable("") }, { [VARIABLE]: "\x06" }]) {
    const machine = fakeMachine(files);
    BootPhases.enter(machine).leave();
    assert.deepEqual([machine.log, machine.reports], [[], []]);
  }
});

test("a TPM that cannot be told of the beginning is said, and not told of the end: nothing was released", () => {
  const answers = [
    { answer: undefined, text: "the TPM does not answer" },
    { answer: Buffer.alloc(9), text: "the TPM answers 9 bytes" },
    { answer: Buffer.from("80010000000a00000100", "hex"), text: "the TPM answers with error 0x100" },
  ];
  for (const { answer, text } of answers) {
    const machine = fakeMachine({ [VARIABLE]: variable("11") });
    machine.exchanges.push(answer);
    BootPhases.enter(machine).leave();
    assert.equal(machine.log.length, 1);
    assert.deepEqual(machine.reports, [`information: Cannot measure the phase enter-initrd of the boot: ${text}`]);
  }
});

test("a TPM that cannot be told of the end stops the boot: the system could have the secrets of the initramfs", () => {
  const machine = fakeMachine({ [VARIABLE]: variable("11") });
  machine.exchanges.push(DONE, undefined);
  const phases = BootPhases.enter(machine);
  assert.throws(() => phases.leave(), {
    code: "failed",
    message: "Cannot measure the phase leave-initrd of the boot: the TPM does not answer",
  });
});

test("a TPM takes the commands, and its register is the one that is predicted", async () => {
  // In /tmp whatever TMPDIR is: the path of a socket has 108 bytes at most (unix(7)).
  const directory = mkdtempSync("/tmp/sealroot-phases-");
  const tpm = new SoftwareTpm(directory);
  try {
    await tpm.restart();
    const socket = connect(join(directory, tpm.name));
    await once(socket, "connect");
    const ask = async (command: Uint8Array) => {
      const answer = once(socket, "data");
      socket.write(command);
      const [response] = (await answer) as [Buffer];
      return response;
    };
    const expected = new PcrRegister("sha256");
    for (const phase of ["enter-initrd", "leave-initrd"] as const) {
      checkPhaseResponse(phase, await ask(phaseCommand(phase)));
      expected.measure(Buffer.from(phase));
      // TPM2_PCR_Read (part 3, 22.4) of register 11 in the bank of SHA-256: the value is at the end.
      const read = await ask(Buffer.from("8001000000140000017e00000001000b03000800", "hex"));
      assert.deepEqual(read.subarray(-32), Buffer.from(expected.value));
    }
    socket.destroy();
  } finally {
    await tpm[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  }
});
