/** A deployment that cannot boot, under the boot loader's counting of tries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DiskCopy } from "./disk-copy.ts";
import { BOOT_TIMEOUT_MS, bootSealed, sealedExample } from "./sealed-example.ts";

const ENTRIES = "loader/entries";

test("a boot that fails reboots while the loader counts, and stops when no other entry came", async () => {
  const example = await sealedExample();
  const disk = await DiskCopy.make(example.diskPath);
  try {
    await disk.unlink(`/composefs/images/${example.deploymentId}`);
    const [entry = "", ...others] = await disk.listEsp(ENTRIES);
    assert.equal(others.length, 0);
    // Exhausted by two tries; the loader counts the third and the fourth.
    await disk.renameEsp(`${ENTRIES}/${entry}`, `${ENTRIES}/${entry.replace(/\.conf$/, "+0-2.conf")}`);
    const guest = await bootSealed(example, disk.path, { agent: false, cpus: 1, reboots: true });
    try {
      await guest.waitForConsole(/sealroot: Rebooting: the boot loader counts: no try left/, BOOT_TIMEOUT_MS);
      await guest.waitForConsole(/sealroot: Stopped: this entry failed 4 times and there is no other/, BOOT_TIMEOUT_MS);
    } finally {
      await guest.stop();
    }
  } finally {
    await disk.remove();
  }
});
