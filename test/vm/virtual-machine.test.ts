/** The runner itself, on a guest that boots in a few seconds: commands, their limits, and the machine's end. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startVirtualMachine } from "../../src/vm/index.ts";
import { startGuest } from "../guest/fixture.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("commands in the guest come back with status, output and error output", async () => {
  const guest = await startGuest();
  try {
    const failing = await guest.run("printf '\\000\\377\\r\\n'; echo wrong >&2; exit 19");
    assert.deepEqual(
      { ...failing, stdout: [...failing.stdout], stderr: String(failing.stderr) },
      { exitCode: 19, stdout: [0, 0xff, 13, 10], stderr: "wrong\n" },
    );
    assert.equal((await guest.run("kill -9 $$")).exitCode, 137);

    const large = await guest.run("head -c 5000000 /dev/urandom > /tmp/r; sha256sum < /tmp/r >&2; cat /tmp/r");
    assert.equal(large.stdout.length, 5_000_000);
    assert.equal(String(large.stderr).slice(0, 64), sha256(large.stdout));

    const script = `echo '${"long ".repeat(200_000)}' | sha256sum`;
    const expected = sha256(Buffer.from(`${"long ".repeat(200_000)}\n`));
    assert.equal(String((await guest.run(script)).stdout).slice(0, 64), expected);

    await assert.rejects(guest.run("echo bye > /dev/console; sleep 1; busybox poweroff -f"), (error: Error) => {
      assert.match(error.message, /^Cannot finish the command: the machine has ended \(exit code 0\); .*bye/);
      return true;
    });
  } finally {
    await guest.stop();
  }
});

test("a command that does not end stops the machine and says what it was waiting for", async () => {
  const guest = await startGuest();
  try {
    await assert.rejects(guest.run("sleep 60", 500), {
      code: "timeout",
      message: /^Cannot finish the command in the guest: it still runs after 0.5 s; /,
    });
    await assert.rejects(guest.run("true"), { code: "failed", message: /its agent is not ready/ });
  } finally {
    await guest.stop();
  }
});

test("a machine with a TPM has one the kernel can use", async () => {
  const guest = await startGuest({ tpm: true });
  try {
    assert.equal(String((await guest.run("cat /sys/class/tpm/tpm0/tpm_version_major")).stdout), "2\n");
  } finally {
    await guest.stop();
  }
});

test("a machine that never gets ready is reported with the end of its console, and leaves no files", async () => {
  const directory = await mkdtemp(join(tmpdir(), "vm-test-"));
  const before = process.env.TMPDIR;
  process.env.TMPDIR = directory;
  const machine = await startVirtualMachine({ drives: [] });
  try {
    await machine.waitForConsole(/^Shell>/m);
    await assert.rejects(machine.waitForReady(200), {
      code: "timeout",
      message: /^Cannot boot the guest: nothing happened in 0.2 s; its console ends: .*Shell>$/,
    });
  } finally {
    await machine.stop();
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
  assert.deepEqual(readdirSync(directory), []);
  await rm(directory, { recursive: true });
});
