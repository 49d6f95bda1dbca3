import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bootLoaderName, readBootedRoot, readUsrOverlay } from "../../src/host/index.ts";

const proc = mkdtempSync(join(tmpdir(), "sealroot-proc-"));
mkdirSync(join(proc, "self"));
after(() => rmSync(proc, { recursive: true, force: true }));

const [ID, OTHER] = ["a".repeat(128), "b".repeat(128)];
function booted(commandLine: string, ...mounts: string[]) {
  writeFileSync(join(proc, "cmdline"), `${commandLine}\n`);
  writeFileSync(join(proc, "self/mountinfo"), mounts.map((mount, at) => `${at} 0 0:${at} / ${mount}\n`).join(""));
  const root = readBootedRoot(proc);
  return root && [root.imageId, root.missingVerityAllowed, root.verityRequired];
}

test("the root is what is mounted, whatever the command line says after a soft reboot", () => {
  assert.deepEqual(booted(`composefs=${ID} rw`, `/ ro - overlay composefs:${ID} ro,verity=require`), [ID, false, true]);
  assert.deepEqual(booted(`composefs=?${ID}`, `/ ro - overlay composefs:${ID} ro`), [ID, true, false]);
  assert.deepEqual(booted(`composefs=${ID}`, `/ ro - overlay composefs:${OTHER} ro,verity=require`), [
    OTHER,
    false,
    true,
  ]);
  const transient = `/ rw - overlay transient:composefs=${ID} rw`;
  assert.deepEqual(booted(`composefs=${ID}`, transient), [ID, false, true]);
  const digest = `composefs.digest=v1-sha512-12:${ID}`;
  assert.deepEqual(booted(digest, "/ rw - rootfs none rw", `/ ro - overlay composefs:${ID} verity=require`), [
    ID,
    false,
    true,
  ]);
});

test("another system is none of ours, and a root that is not the image is an error", () => {
  assert.equal(booted("root=/dev/sda1 ro", "/ rw - ext4 /dev/sda1 rw"), undefined);
  assert.throws(() => booted(`composefs=${ID}`, "/ rw - ext4 /dev/sda1 rw"), {
    code: "corrupt",
    message: "Cannot find the booted image: the command line names one, and the root is another file system",
    data: { path: "/", expected: "composefs:ID", actual: "/dev/sda1" },
  });
});

test("a layer over /usr is seen, and whether it can be written to", () => {
  booted(`composefs=${ID}`, `/ ro - overlay composefs:${ID} ro`);
  assert.equal(readUsrOverlay(proc), undefined);
  for (const [option, isWritable] of [
    ["rw", true],
    ["ro", false],
  ] as const) {
    booted(`composefs=${ID}`, `/ ro - overlay composefs:${ID} ro`, `/usr ${option},nodev - overlay transient rw`);
    assert.deepEqual(readUsrOverlay(proc), { isWritable });
  }
});

test("boot loaders by what they say of themselves", () => {
  assert.equal(bootLoaderName("systemd-boot 257.9-1~deb13u1"), "systemd");
  assert.equal(bootLoaderName("GRUB CC 2.12"), "grub-cc");
  assert.equal(bootLoaderName("GRUB 2.12"), "grub");
  assert.equal(bootLoaderName(undefined), "grub");
});
