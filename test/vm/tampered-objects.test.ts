/**
 * Attacks on single objects: the system comes up, and every read of an object that is not what it was fails. An object
 * that is gone stops the boot (refused-by-initramfs.test.ts), unless the image asks for less (root-configuration.test.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DiskCopy } from "./disk-copy.ts";
import { BOOT_TIMEOUT_MS, bootSealed, guestText, objectPathOf, sealedExample, systemState } from "./sealed-example.ts";

const LICENSES = "usr/share/common-licenses";

test("tampered objects cannot be read, and their neighbours can", async () => {
  const example = await sealedExample();
  const disk = await DiskCopy.make(example.diskPath);
  try {
    const object = (name: string) => objectPathOf(example, `${LICENSES}/${name}`);
    // The second block: the first one of the same file must still be readable.
    await disk.flipByte(await object("GPL-3"), 5000);
    await disk.clearVerity(await object("GPL-2"));
    await disk.replace(await object("Apache-2.0"), Buffer.from("other content\n"), "with-verity");
    await disk.replace(await object("LGPL-2.1"), Buffer.from("other content\n"), "without-verity");
    await disk.clearVerity("/composefs/meta.json");

    const guest = await bootSealed(example, disk.path);
    try {
      await guest.waitForReady(BOOT_TIMEOUT_MS);
      const outcome = async (name: string): Promise<string> => {
        const { exitCode, stdout, stderr } = await guest.run(`cat /${LICENSES}/${name}`);
        return exitCode === 0 ? "read" : `${stdout.length} bytes, ${stderr.toString().trim().split(": ").at(-1)}`;
      };
      assert.equal(await outcome("GPL-3"), "4096 bytes, Input/output error");
      assert.equal(await outcome("GPL-2"), "0 bytes, Input/output error");
      assert.equal(await outcome("Apache-2.0"), "0 bytes, Input/output error");
      assert.equal(await outcome("LGPL-2.1"), "0 bytes, Input/output error");
      assert.equal(await outcome("Artistic"), "read");
      // A repository that calls itself insecure changes nothing for the running system.
      assert.match(await guestText(guest, "findmnt -no OPTIONS /"), /(?:^|,)verity=require(?:,|$)/);
      assert.equal(await systemState(guest), "running");
      assert.match(await guestText(guest, "dmesg"), /fs-verity \(\w+, inode \d+\): FILE CORRUPTED!/);
    } finally {
      await guest.stop();
    }
  } finally {
    await disk.remove();
  }
});
