import assert from "node:assert/strict";
import { test } from "node:test";
import { ARCHITECTURES, findType1Paths, hasUki, readType1Files } from "../../src/bootimage/index.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import type { TreeFiles } from "../../src/tree/index.ts";
import { plainKernel } from "../install/sealed-image.ts";
import { type TreeItem, treeOf } from "../tree/tree-of.ts";

const KERNEL = "/usr/lib/modules/6.12.1/vmlinuz";
const INITRAMFS = "/usr/lib/modules/6.12.1/initramfs.img";
const COMPLETE: Readonly<Record<string, TreeItem>> = {
  "/boot/": undefined,
  [KERNEL]: plainKernel(),
  [INITRAMFS]: "initramfs",
};
const PATHS = { kernelRelease: "6.12.1", kernelPath: KERNEL, initramfsPath: INITRAMFS };

function image(changes: Readonly<Record<string, TreeItem | "left out">> = {}): TreeFiles {
  const items = Object.entries({ ...COMPLETE, ...changes }).filter(([, item]) => item !== "left out");
  return treeOf(Object.fromEntries(items) as Record<string, TreeItem>);
}

test("findType1Paths() finds the one kernel and its initramfs", () => {
  assert.deepEqual(findType1Paths(image()), PATHS);
  assert.deepEqual(findType1Paths(image({ "/usr/lib/modules/current": { link: "6.12.1" } })), PATHS);
  assert.deepEqual(findType1Paths(image({ "/boot/loader/entries/": undefined })), PATHS);
});

test("findType1Paths() refuses what cannot be started so, with the way out", () => {
  const cases: readonly (readonly [TreeFiles, string, string])[] = [
    [
      image({ [INITRAMFS]: "left out" }),
      "unsupported",
      `Cannot install the image: it is not sealed (no UKI in /boot/EFI/Linux), and has no initramfs (${INITRAMFS})`,
    ],
    [image({ [KERNEL]: "left out" }), "unsupported", "Cannot install the image: it has neither a UKI nor a kernel"],
    [image({ "/usr/lib/modules/7/vmlinuz": "k" }), "conflict", "Cannot install the image: 2 kernels (6.12.1, 7)"],
    [
      image({ "/boot/aboot-6.12.img": "ANDROID!" }),
      "unsupported",
      "Cannot install the image: it boots from an Android boot image (/boot/aboot-6.12.img), not from a UKI",
    ],
    [
      image({ "/boot/loader/entries/debian.conf": "version 1" }),
      "unsupported",
      "Cannot install the image: it has a boot entry of its own (/boot/loader/entries/debian.conf)",
    ],
  ];
  for (const [files, code, message] of cases) {
    assert.throws(
      () => findType1Paths(files),
      (error: SealrootError) => {
        assert.equal(error.message, message);
        assert.equal(error.code, code);
        assert.ok(error.data.hint, message);
        return true;
      },
    );
  }
  assert.throws(() => findType1Paths(treeOf({ "/boot/": undefined })), {
    message: "Cannot install the image: it has no /usr",
  });
  assert.throws(() => findType1Paths(image({ [INITRAMFS]: { link: "gone" } })), {
    message: `Cannot use ${INITRAMFS} in the image: it is a symbolic link to nothing`,
  });
});

test("a UKI decides how an image boots, also one beside the kernel", () => {
  assert.equal(hasUki(image()), false);
  assert.equal(hasUki(image({ "/boot/EFI/Linux/x.addon.efi": "a" })), false);
  assert.equal(hasUki(image({ "/boot/EFI/Linux/x.efi": "u" })), true);
  assert.equal(hasUki(image({ "/usr/lib/modules/6.12.1/6.12.1.efi": "u" })), true);
});

test("readType1Files() gives the bytes, and refuses a kernel that this machine's firmware does not start", () => {
  const { kernel, initramfs } = readType1Files(image(), PATHS, ARCHITECTURES.amd64);
  assert.deepEqual(Buffer.from(kernel), Buffer.from(plainKernel()));
  assert.equal(Buffer.from(initramfs).toString(), "initramfs");
  assert.throws(() => readType1Files(image(), PATHS, ARCHITECTURES.arm64), {
    code: "conflict",
    message: `Cannot install the image: it is for arm64, but its kernel ${KERNEL} for x64`,
  });
  assert.throws(() => readType1Files(image({ [KERNEL]: "vmlinux" }), PATHS, ARCHITECTURES.amd64), { code: "corrupt" });
});
