/** The second carrier: Debian's own initramfs files followed by our extension, on the sealed disk. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { PARTITION_TYPE, readDiskPartitions } from "../../src/disk/index.ts";
import { extendInitramfs, type SealedRoot } from "../../src/seal/initramfs/index.ts";
import { startVirtualMachine, type VirtualMachine, type VirtualMachineOptions } from "../../src/vm/index.ts";
import { sealedRootOf } from "./own-uki.ts";
import { guestText, type SealedExample, sealedExample } from "./sealed-example.ts";
import { type StockInitramfs, stockInitramfs } from "./stock-initramfs.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

/** Without firmware nobody names the disk. */
const ROOT = "root=/dev/vda3";
const NO_IMAGE = "0".repeat(128);
/** initramfs-tools waits 30 s for a root device, whatever the command line says. */
const NO_ROOT_TIMEOUT_MS = 300_000;

describe("an image's own initramfs with our extension", () => {
  let example: SealedExample;
  let stock: StockInitramfs;
  let objectIds: SealedRoot["objectIds"];
  before(async () => {
    example = await sealedExample();
    ({ objectIds } = await sealedRootOf(example));
    stock = await stockInitramfs();
  });

  /** Boots the sealed disk with the kernel given directly. */
  async function boot(
    generator: "dracut" | "initramfs-tools",
    commandLine: string,
    permit: string,
    check: (guest: VirtualMachine) => Promise<void>,
    drives: VirtualMachineOptions["drives"] = [{ path: example.diskPath }],
  ): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), "sealroot-extended-"));
    try {
      const initrdPath = join(directory, "initramfs");
      const { kernelPath, kernelRelease, files } = stock;
      const options = { kernelRelease, sealedRoot: { permit, objectIds } };
      await writeFile(initrdPath, await extendInitramfs(await stock.read(generator), files, options));
      const guest = await startVirtualMachine({ drives, directBoot: { kernelPath, initrdPath, commandLine } });
      try {
        await check(guest);
      } finally {
        await guest.stop();
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  for (const generator of ["dracut", "initramfs-tools"] as const) {
    test(`of ${generator} boots the sealed root with fs-verity required`, async () => {
      await boot(generator, `${example.commandLine} ${ROOT}`, example.commandLine, async (guest) => {
        await guest.waitForReady();
        assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${example.deploymentId}`);
        assert.match(await guestText(guest, "findmnt -no OPTIONS /"), /^ro,.*verity=require/);
        assert.match(await guestText(guest, "findmnt -no OPTIONS /sysroot"), /^ro,/);
        assert.equal(await guestText(guest, "touch /etc/written /var/written && echo written"), "written");
        assert.match(await guestText(guest, "readlink /run/systemd/volatile-root"), /^\/dev\/block\/[1-9]/);
        assert.equal(
          await guestText(guest, "ls /run/sealroot/physical /run/sealroot/image"),
          "/run/sealroot/image:\n\n/run/sealroot/physical:",
        );
      });
    });
  }

  test("of dracut stops, without a shell, when the image is not there", async () => {
    await boot("dracut", `composefs=${NO_IMAGE} rw console=ttyS0 ${ROOT}`, `composefs=${NO_IMAGE}`, async (guest) => {
      await guest.waitForConsole(/sealroot: Cannot open the root image: it is not in the repository/);
      await guest.waitForConsole(/sealroot: Stopped: /);
    });
  });

  test("of dracut stops when the command line names no image at all", ONLY_IN_WHOLE_SUITE, async () => {
    await boot("dracut", `rw console=ttyS0 ${ROOT}`, example.commandLine, async (guest) => {
      await guest.waitForConsole(/sealroot: Cannot choose the root image: no composefs= on the kernel command line/);
      await guest.waitForConsole(/sealroot: Stopped: /);
    });
  });

  test("of initramfs-tools stops, without a shell, when there is no root device", ONLY_IN_WHOLE_SUITE, async () => {
    await boot("initramfs-tools", `${example.commandLine} root=/dev/vdz`, example.commandLine, async (guest) => {
      await guest.waitForConsole(/sealroot: Cannot go on: the initramfs failed/, NO_ROOT_TIMEOUT_MS);
      await guest.waitForConsole(/sealroot: Stopped: /);
      assert.doesNotMatch(guest.consoleText, /\(initramfs\)|the root is composefs:/);
    });
  });

  test(
    "of initramfs-tools stops when a word on the command line leads to another root than ours",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      await boot("initramfs-tools", `${example.commandLine} ${ROOT} boot=local`, example.commandLine, async (guest) => {
        await guest.waitForConsole(
          /sealroot: Cannot go on: "boot=local" on the kernel command line leads past the sealed/,
        );
        await guest.waitForConsole(/sealroot: Stopped: /);
        assert.doesNotMatch(guest.consoleText, /\(initramfs\)|the root is composefs:/);
      });
    },
  );

  test(
    "of dracut stops when a copy of the disk is in the machine as well: one of the two was mounted unasked",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      const { partitions } = await readDiskPartitions(example.diskPath);
      const root = partitions.find(({ typeGuid }) => typeGuid === PARTITION_TYPE.rootX8664);
      const line = `${example.commandLine} root=PARTUUID=${root?.guid}`;
      const drives = [{ path: example.diskPath }, { path: example.diskPath }];
      await boot(
        "dracut",
        line,
        example.commandLine,
        async (guest) => {
          await guest.waitForConsole(/sealroot: Cannot find the root device: 2 devices fit/);
          await guest.waitForConsole(/sealroot: Stopped: /);
          assert.doesNotMatch(guest.consoleText, /the root is composefs:/);
        },
        drives,
      );
    },
  );
});
