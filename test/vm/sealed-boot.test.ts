/** The sealed system as it should be: booted once under Secure Boot, looked at from inside, and rebooted. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { DiskCopy } from "./disk-copy.ts";
import {
  BOOT_TIMEOUT_MS,
  bootSealed,
  efiVariableHex,
  guestText,
  MEASURE,
  type SealedExample,
  sealedExample,
  systemState,
} from "./sealed-example.ts";

describe("the sealed example", () => {
  let example: SealedExample;
  let disk: DiskCopy;
  let guest: VirtualMachine;
  before(async () => {
    example = await sealedExample();
    disk = await DiskCopy.make(example.diskPath);
    guest = await bootSealed(example, disk.path, { drives: [{ path: disk.path, mode: "persist" }] });
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
  });
  after(async () => {
    await guest?.stop();
    await disk?.remove();
  });

  test("was started by firmware that enforces Secure Boot", async () => {
    assert.equal(await guestText(guest, efiVariableHex("SecureBoot")), "01");
    assert.equal(await guestText(guest, efiVariableHex("SetupMode")), "00");
  });

  test("runs with the signed command line and nothing else", async () => {
    assert.equal(await guestText(guest, "cat /proc/cmdline"), example.commandLine);
  });

  test("has for its root the image that the command line names, as the kernel measures it", async () => {
    const image = `/sysroot/composefs/images/${example.deploymentId}`;
    assert.equal(await guestText(guest, `${MEASURE} measure ${image}`), example.deploymentId);
    const report = await guestText(guest, "dmesg | grep 'sealroot: the root is'");
    assert.match(report, new RegExp(`composefs:${example.deploymentId}, fs-verity required$`));
  });

  test("has the mounts of the layout, with fs-verity required", async () => {
    const mount = async (target: string) => {
      const line = await guestText(guest, `findmnt -nr -o SOURCE,FSROOT,FSTYPE,OPTIONS ${target}`);
      const [source, root, type, options = ""] = line.split(" ");
      return { source, root, type, options: options.split(",") };
    };
    const root = await mount("/");
    assert.deepEqual([root.source, root.root, root.type], [`composefs:${example.deploymentId}`, "/", "overlay"]);
    for (const option of ["ro", "redirect_dir=on", "metacopy=on", "verity=require"]) {
      assert.ok(root.options.includes(option), `${option} is not in ${root.options}`);
    }
    const deployment = `/state/deploy/${example.deploymentId}`;
    const etc = await mount("/etc");
    assert.deepEqual([etc.source, etc.root], [`/dev/vda3[${deployment}/etc]`, `${deployment}/etc`]);
    assert.deepEqual([etc.type, etc.options[0]], ["ext4", "rw"]);
    const varMount = await mount("/var");
    assert.deepEqual([varMount.root, varMount.options[0]], ["/state/os/default/var", "rw"]);
    const sysroot = await mount("/sysroot");
    assert.deepEqual([sysroot.source, sysroot.root, sysroot.options[0]], ["/dev/vda3", "/", "ro"]);
  });

  test("refuses writes to its system directories and takes them where state is kept", async () => {
    for (const directory of ["", "/usr", "/usr/bin", "/sysroot"]) {
      const { exitCode, stderr } = await guest.run(`touch ${directory}/intruder`);
      assert.equal(exitCode, 1);
      assert.match(stderr.toString(), /Read-only file system/);
    }
    for (const directory of ["/etc", "/var", "/boot", "/tmp", "/root", "/home"]) {
      await guestText(guest, `touch ${directory}/file && rm ${directory}/file`);
    }
  });

  test("protects its objects from root himself", async () => {
    const object = await guestText(guest, "ls -d /sysroot/composefs/objects/00/* | head -1");
    await guestText(guest, "mount -o remount,rw /sysroot");
    const { exitCode, stderr } = await guest.run(`echo changed > ${object}`);
    assert.notEqual(exitCode, 0);
    assert.match(stderr.toString(), /Operation not permitted/);
    await guestText(guest, "mount -o remount,bind,ro /sysroot");
  });

  test("has no failed unit, and its loader is found on the right disk", async () => {
    assert.equal(await guestText(guest, "systemctl --failed --no-legend"), "");
    assert.match(await guestText(guest, "readlink /run/systemd/volatile-root"), /^\/dev\/block\/\d+:\d+$/);
    assert.match(await guestText(guest, "findmnt -nr -o FSTYPE /boot | tail -1"), /^(?:autofs|vfat)$/);
  });

  // A machine that starts anew, not a warm reset: that takes emulated firmware 5 s usually, and more than 600 s now and then.
  test("keeps its state over a reboot and boots the same root again", async () => {
    const bootId = "cat /proc/sys/kernel/random/boot_id";
    const first = await guestText(guest, `echo kept > /etc/kept; echo kept > /var/kept; sync; ${bootId}`);
    await assert.rejects(guest.run("systemctl reboot -ff; sleep 60", BOOT_TIMEOUT_MS), {
      message: /the machine has ended \(/,
    });
    await guest.stop();
    guest = await bootSealed(example, disk.path, { drives: [{ path: disk.path, mode: "persist" }] });
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    const [second, ...kept] = (await guestText(guest, `${bootId}; cat /etc/kept /var/kept`)).split("\n");
    assert.notEqual(second, first);
    assert.deepEqual(kept, ["kept", "kept"]);
    assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${example.deploymentId}`);
  });
});
