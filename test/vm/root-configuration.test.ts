/** What an image may ask for in setup-root-conf.toml, on the sealed disk. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { joinInitramfs, writeCpio } from "../../src/cpio/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { startVirtualMachine, type VirtualMachine } from "../../src/vm/index.ts";
import { DiskCopy } from "./disk-copy.ts";
import { guestText, objectPathOf, type SealedExample, sealedExample, systemState } from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const CONFIGURATION_PATH = "usr/lib/sealroot/setup-root-conf.toml";

describe("the boot program follows setup-root-conf.toml", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let uki: ReturnType<typeof readUki>;
  before(async () => {
    example = await sealedExample();
    const disk = await DiskCopy.make(example.diskPath);
    try {
      uki = readUki(await disk.readEsp(example.ukiPath));
    } finally {
      await disk.remove();
    }
  });

  /** Boots the example with another configuration in its initramfs. */
  async function boot(
    configuration: string,
    check: (guest: VirtualMachine) => Promise<void>,
    diskPath = example.diskPath,
  ): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), "sealroot-configuration-"));
    try {
      const kernelPath = join(directory, "vmlinuz");
      const initrdPath = join(directory, "initramfs");
      const path = byteStringOfText(CONFIGURATION_PATH);
      const added = writeCpio([{ kind: "file", path, mode: 0o644, bytes: Buffer.from(configuration) }]);
      await writeFile(kernelPath, uki.kernel);
      await writeFile(initrdPath, joinInitramfs(uki.initramfs ?? new Uint8Array(), added));
      const guest = await startVirtualMachine({
        drives: [{ path: diskPath }],
        // Without firmware nobody names the disk.
        directBoot: { kernelPath, initrdPath, commandLine: `${example.commandLine} root=/dev/vda3` },
      });
      try {
        await guest.waitForReady();
        await check(guest);
      } finally {
        await guest.stop();
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  const sourceAndType = (guest: VirtualMachine, path: string) =>
    guestText(guest, `findmnt -no SOURCE,FSTYPE ${path} | tr -s ' '`);
  const writable = (guest: VirtualMachine, paths: string) =>
    guestText(guest, `for path in ${paths}; do touch $path/x 2>/dev/null && echo $path; done; true`);

  test("a transient root with overlays on /etc and /var: everything can be written, nothing is kept but /etc", async () => {
    await boot("[root]\ntransient = true\n[etc]\nmount = 'overlay'\n[var]\nmount = 'transient'\n", async (guest) => {
      assert.equal(await sourceAndType(guest, "/"), `transient:composefs=${example.deploymentId} overlay`);
      assert.equal(await sourceAndType(guest, "/etc"), "overlay overlay");
      assert.equal(await sourceAndType(guest, "/var"), "transient overlay");
      assert.equal(await writable(guest, "/usr /etc /var"), "/usr\n/etc\n/var");
      const state = `/sysroot/state/deploy/${example.deploymentId}/etc`;
      assert.equal(
        await guestText(guest, `ls ${state}/upper/x; stat -c '%a' ${state}/upper ${state}/work /etc`),
        `${state}/upper/x\n755\n700\n755`,
      );
    });
  });

  test("no /etc and no /var: both are the image's and read-only", async () => {
    await boot("[etc]\nmount = 'none'\n[var]\nmount = 'none'\n", async (guest) => {
      assert.equal(await guestText(guest, "findmnt -no TARGET /etc /var || echo none"), "none");
      assert.equal(await writable(guest, "/etc /usr"), "");
    });
  });

  test("transient /etc and /var: what somebody wrote there offline is not seen, and check-objects = false looks for nothing", async () => {
    const disk = await DiskCopy.make(example.diskPath);
    try {
      const state = `/state/deploy/${example.deploymentId}`;
      const unit = Buffer.from("[Service]\nType=oneshot\nExecStart=/bin/touch /run/attacker\n");
      const units = `${state}/etc/systemd/system`;
      await disk.replace(`${units}/attacker.service`, unit, "without-verity");
      await disk.makeDirectory(`${units}/sysinit.target.wants`);
      await disk.symlink(`${units}/sysinit.target.wants/attacker.service`, "../attacker.service");
      await disk.replace("/state/os/default/var/attacker", Buffer.from("x"), "without-verity");
      await disk.unlink(await objectPathOf(example, "usr/share/common-licenses/GPL-3"));
      await boot(
        "check-objects = false\n[etc]\ntransient = true\n[var]\ntransient = true\n",
        async (guest) => {
          assert.equal(await sourceAndType(guest, "/etc"), "transient overlay");
          assert.equal(await sourceAndType(guest, "/var"), "transient overlay");
          await systemState(guest);
          const found = "ls -d /run/attacker /var/attacker /etc/systemd/system/attacker.service 2>/dev/null; true";
          assert.equal(await guestText(guest, found), "");
          const read = await guest.run("cat /usr/share/common-licenses/GPL-3");
          assert.equal(read.exitCode, 1);
          assert.match(read.stderr.toString(), /No such file or directory/);
        },
        disk.path,
      );
    } finally {
      await disk.remove();
    }
  });
});
