/** An image as bootc 1.17 seals it, installed and booted: its UKI names two images, and only its initramfs is ours. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { run } from "../cli/run-verb.ts";
import { type BootcImage, bootcImage } from "./bootc-image.ts";
import { BOOT_TIMEOUT_MS, bootSealed, guestText, MEASURE, sealedExample, systemState } from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

describe("an image whose UKI names an image of each version", ONLY_IN_WHOLE_SUITE, () => {
  let directory: TemporaryDirectory;
  let image: BootcImage;
  let installed: { readonly deploymentId: string };
  let guest: VirtualMachine;
  before(async () => {
    const example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "two-images" });
    image = await bootcImage(example, directory.path);
    const disk = join(directory.path, "disk.img");
    const words = ["install", "to-disk", disk, "--size", "3G", "--source-imgref", image.reference];
    const target = ["--target-imgref", "localhost/bootc-sealed:latest", "--json"];
    const { exitCode, out, err } = await run(...words, ...target);
    assert.equal(exitCode, 0, err);
    installed = JSON.parse(out);
    guest = await bootSealed(example, disk);
    await guest.waitForReady(BOOT_TIMEOUT_MS);
  });
  after(async () => {
    await guest?.stop();
    directory?.remove();
  });

  test("is installed as the deployment of the first, and boots it with fs-verity required", async () => {
    assert.equal(installed.deploymentId, image.v1);
    assert.equal(await guestText(guest, "cat /proc/cmdline"), image.commandLine);
    assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${image.v1}`);
    assert.match(await guestText(guest, "findmnt -no OPTIONS /"), /^ro,.*verity=require/);
    assert.equal(await guestText(guest, "ls /sysroot/state/deploy"), image.v1);
    assert.equal(await systemState(guest), "running");
  });

  test("has both images, each with the digest that the kernel measures", async () => {
    assert.notEqual(image.v1, image.v2);
    for (const id of [image.v1, image.v2]) {
      assert.equal(await guestText(guest, `${MEASURE} measure /sysroot/composefs/images/${id}`), id);
    }
  });

  test("has a fallback that the kernel can mount in its place", async () => {
    const mount = `mount -t erofs -o ro,loop /sysroot/composefs/images/${image.v2} /mnt && ls /mnt; umount /mnt`;
    assert.match(await guestText(guest, mount), /^usr$/m);
  });
});
