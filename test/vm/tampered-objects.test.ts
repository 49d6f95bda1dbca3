/**
 * Attacks on what the system comes up in spite of: single objects, whose reads fail, and files on the EFI system partition
 * that nobody signed, which have no effect. An object that is gone stops the boot (refused-by-initramfs.test.ts), unless
 * the image asks for less (root-configuration.test.ts). The UKI names two images, as bootc's do.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { silent } from "../../src/events/index.ts";
import { allLinks, NO_POLICY, type VerifyReport, verify } from "../../src/verify/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { DiskCopy } from "./disk-copy.ts";
import { OTHER_ID, replaceWithTwoImages } from "./own-uki.ts";
import { BOOT_TIMEOUT_MS, bootSealed, guestText, objectPathOf, sealedExample, systemState } from "./sealed-example.ts";
import { ATTACK_SIGNS, plantUnsignedInputs } from "./unsigned-inputs.ts";

const LICENSES = "usr/share/common-licenses";

describe("on a disk that somebody has written to", () => {
  let disk: DiskCopy;
  let guest: VirtualMachine;
  let deploymentId: string;
  let commandLine: string;
  let report: VerifyReport;
  before(async () => {
    const example = await sealedExample();
    ({ deploymentId } = example);
    disk = await DiskCopy.make(example.diskPath);
    const object = (name: string) => objectPathOf(example, `${LICENSES}/${name}`);
    // The second block: the first one of the same file must still be readable.
    await disk.flipByte(await object("GPL-3"), 5000);
    await disk.clearVerity(await object("GPL-2"));
    await disk.replace(await object("Apache-2.0"), Buffer.from("other content\n"), "with-verity");
    await disk.replace(await object("LGPL-2.1"), Buffer.from("other content\n"), "without-verity");
    await disk.clearVerity("/composefs/meta.json");
    commandLine = await replaceWithTwoImages(example, disk);
    await plantUnsignedInputs(example, disk);
    report = await verify(disk.path, { keys: undefined, policy: NO_POLICY, events: silent });
    guest = await bootSealed(example, disk.path);
    await guest.waitForReady(BOOT_TIMEOUT_MS);
  });
  after(async () => {
    await guest?.stop();
    await disk?.remove();
  });

  test("verify names what the kernel and the stub will refuse, and nothing else", () => {
    const broken = [...allLinks(report.links)].flatMap((link) =>
      link.findings.filter(({ state }) => state === "broken").map(({ message }) => `${link.name}: ${message}`),
    );
    const object = (path: string) => `objects: the object of /${path}: `;
    assert.deepEqual(broken, [
      "add-ons: Cannot use the add-on: firmware with the keys in auto/ refuses it, as it is not signed",
      "add-ons: Cannot use the add-on: firmware with the keys in auto/ refuses it, as it is not signed",
      // Its license has the content of Apache-2.0, and so the object.
      `${object("usr/lib/sealroot/LICENSE")}its content has another digest`,
      `${object(`${LICENSES}/GPL-2`)}fs-verity is off`,
      `${object(`${LICENSES}/GPL-3`)}its content has another digest: bytes 4096 to 8191 are not those of its Merkle tree`,
      `${object(`${LICENSES}/LGPL-2.1`)}its content has another digest`,
    ]);
    const obeyed = report.unsigned.filter(({ effect }) => !effect.startsWith("nothing"));
    assert.deepEqual(
      obeyed.map(({ kind }) => kind),
      ["loader settings", "machine tables", "machine tables"],
    );
  });

  test("tampered objects cannot be read, and their neighbours can", async () => {
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
  });

  test("the root is the first of the two images that the UKI names", async () => {
    assert.equal(await guestText(guest, "cat /proc/cmdline"), commandLine);
    assert.ok(commandLine.includes(`composefs=${OTHER_ID}`));
    assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${deploymentId}`);
  });

  test("credentials, extension images and add-ons that nobody signed have no effect", async () => {
    assert.equal(await guestText(guest, `dmesg | grep -c ${ATTACK_SIGNS.log}; true`), "0");
    assert.equal(await guestText(guest, "ls /run/credentials/@system | grep -v sealroot; true"), "");
    assert.equal(await guestText(guest, "ls -d /run/attacker /.extra 2>/dev/null; true"), "");
    assert.equal(await guestText(guest, "systemctl show -P LoadState evil.service"), "not-found");
    assert.equal(await guestText(guest, "ls -A /run/extensions /run/confexts 2>/dev/null; true"), "");
    assert.ok(!commandLine.includes(ATTACK_SIGNS.argument));
  });
});
