import assert from "node:assert/strict";
import { test } from "node:test";
import { bootDigest } from "../../src/bootimage/index.ts";

test("the boot digest is that of kernel, initramfs and device tree in one piece", () => {
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-2, "abc"
  const parts = (kernel: string, initramfs?: string, deviceTree?: string) => ({
    kernel: Buffer.from(kernel),
    initramfs: initramfs === undefined ? undefined : Buffer.from(initramfs),
    deviceTree: deviceTree === undefined ? undefined : Buffer.from(deviceTree),
  });
  assert.equal(bootDigest(parts("ab", "c")), abc);
  assert.equal(bootDigest(parts("a", "b", "c")), abc);
  assert.equal(bootDigest(parts("ab", undefined, "c")), abc);
  assert.equal(bootDigest(parts("abc", "", "")), abc);
  assert.notEqual(bootDigest(parts("a", "c", "b")), abc);
});
