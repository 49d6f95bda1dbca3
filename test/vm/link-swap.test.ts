/** A race in the boot program: the image's link is changed between measuring the image and mounting it. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { joinInitramfs, readCpio, writeCpio } from "../../src/cpio/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { startVirtualMachine } from "../../src/vm/index.ts";
import { DiskCopy } from "./disk-copy.ts";
import { otherImage } from "./other-image.ts";
import { BOOT_TIMEOUT_MS, guestText, type SealedExample, sealedExample, systemState } from "./sealed-example.ts";

const BIN = "usr/lib/sealroot/bin";
const OTHER_OBJECT = "/composefs/objects/00/other-image";

/** Stands in the place of the measuring program: measures truly, then points the image's link elsewhere. */
const swappingMeasure = (deploymentId: string) => `#!/bin/sh
/${BIN}/true-measure "$@"
status=$?
/${BIN}/qjs --std -e '
  const link = "/run/sealroot/physical/composefs/images/${deploymentId}";
  os.remove(link);
  os.symlink("../objects/00/other-image", link);
'
exit $status
`;

/** The example's initramfs with the measuring program replaced. */
function initramfsWithSwap(example: SealedExample, initramfs: Uint8Array): Uint8Array {
  const measure = readCpio(initramfs).entries.find((entry) => entry.path === `${BIN}/measure`);
  assert.equal(measure?.kind, "file");
  const program = (name: string, bytes: Uint8Array) =>
    ({ kind: "file", path: byteStringOfText(`${BIN}/${name}`), mode: 0o755, bytes }) as const;
  return joinInitramfs(
    initramfs,
    writeCpio([
      program("true-measure", measure.bytes),
      program("measure", Buffer.from(swappingMeasure(example.deploymentId))),
    ]),
  );
}

test("the measured image is the one that is mounted, wherever its link points by then", async () => {
  const example = await sealedExample();
  const disk = await DiskCopy.make(example.diskPath);
  try {
    await disk.replace(OTHER_OBJECT, otherImage(), "with-verity");
    const uki = readUki(await disk.readEsp(example.ukiPath));
    const directory = dirname(disk.path);
    const kernelPath = join(directory, "vmlinuz");
    const initrdPath = join(directory, "initramfs");
    await writeFile(kernelPath, uki.kernel);
    await writeFile(initrdPath, initramfsWithSwap(example, uki.initramfs ?? new Uint8Array()));
    // Without firmware nobody names the disk.
    const commandLine = `${example.commandLine} root=/dev/vda3`;
    const guest = await startVirtualMachine({
      drives: [{ path: disk.path }],
      directBoot: { kernelPath, initrdPath, commandLine },
      cpus: 1,
    });
    try {
      await guest.waitForReady(BOOT_TIMEOUT_MS);
      const link = `/sysroot/composefs/images/${example.deploymentId}`;
      assert.equal(await guestText(guest, `readlink ${link}`), "../objects/00/other-image");
      assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${example.deploymentId}`);
      assert.equal(await systemState(guest), "running");
    } finally {
      await guest.stop();
    }
  } finally {
    await disk.remove();
  }
});
