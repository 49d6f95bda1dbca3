/** A machine in setup mode takes the keys that the disk brings, and enforces Secure Boot from the next start on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startVirtualMachine } from "../../src/vm/index.ts";
import { BOOT_TIMEOUT_MS, efiVariableHex, guestText, sealedExample } from "./sealed-example.ts";

test("the boot loader enrols the keys on the disk, and the next start is a secure one", async () => {
  const { diskPath } = await sealedExample();
  const guest = await startVirtualMachine({ drives: [{ path: diskPath }], reboots: true, cpus: 1 });
  try {
    await guest.waitForConsole(/Enrolling secure boot keys/i);
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.match(guest.consoleText, /EFI stub: UEFI Secure Boot is enabled/);
    assert.equal(await guestText(guest, efiVariableHex("SecureBoot")), "01");
    assert.equal(await guestText(guest, efiVariableHex("SetupMode")), "00");
  } finally {
    await guest.stop();
  }
});
