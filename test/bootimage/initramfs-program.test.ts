import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { findBootProgram } from "../../src/bootimage/index.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { writeCpio } from "../../src/cpio/index.ts";

/** An archive of empty files. */
function archive(...paths: readonly string[]): Uint8Array {
  return writeCpio(
    paths.map((path) => ({ kind: "file", path: byteStringOfText(path), mode: 0o755, bytes: new Uint8Array(0) })),
  );
}

test("findBootProgram() knows ours, bootc's and that of composefs-rs, wherever it is among the archives", () => {
  const cases = [
    [archive("init", "usr/lib/sealroot/program/setup-root.js"), "sealroot"],
    [archive("init", "usr/lib/bootc/initramfs-setup"), "bootc"],
    [archive("usr/bin/composefs-setup-root"), "composefs"],
    [archive("bin/composefs-setup-root"), "composefs"],
    [
      Buffer.concat([
        archive("kernel/x86/microcode/GenuineIntel.bin"),
        gzipSync(archive("usr/lib/bootc/initramfs-setup")),
      ]),
      "bootc",
    ],
    [zstdCompressSync(archive("usr/lib/bootc/initramfs-setup")), "bootc"],
  ] as const;
  for (const [initramfs, program] of cases) assert.equal(findBootProgram(initramfs), program);
});

test("findBootProgram() finds none in an initramfs that would mount another root", () => {
  for (const initramfs of [
    new Uint8Array(0),
    archive("init", "usr/lib/bootc/other", "usr/lib/sealroot/permit", "usr/bin/not-composefs-setup-root"),
    gzipSync(archive("init", "usr/lib/systemd/systemd")),
  ]) {
    assert.equal(findBootProgram(initramfs), undefined);
  }
});

test("findBootProgram() does not call an initramfs that it cannot read one without program", () => {
  const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0, 0]);
  assert.throws(() => findBootProgram(xz), {
    code: "unsupported",
    message: "Cannot read the initramfs: it is compressed with xz",
  });
  assert.throws(() => findBootProgram(Buffer.from("initramfs")), { code: "corrupt" });
});
