import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { boundedUnpackers } from "../../../src/bootimage/initramfs-archives.ts";
import { byteStringOfText } from "../../../src/bytes/index.ts";
import { type CpioEntry, walkInitramfs, writeCpio } from "../../../src/cpio/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";
import { extendInitramfs } from "../../../src/seal/initramfs/index.ts";
import { filesOfDirectory } from "./directory-files.ts";
import { madeImage, RELEASE, SEALED_ROOT } from "./made-image.ts";

let image: Awaited<ReturnType<typeof madeImage>>;
before(async () => {
  image = await madeImage();
});
after(() => image.remove());

const file = (path: string, content = ""): CpioEntry => ({
  kind: "file",
  path: byteStringOfText(path),
  mode: 0o644,
  bytes: Buffer.from(content),
});
const link = (path: string, target: string): CpioEntry => ({
  kind: "symlink",
  path: byteStringOfText(path),
  mode: 0o777,
  target: byteStringOfText(target),
});

const SYSTEMD = writeCpio([
  link("init", "usr/lib/systemd/systemd"),
  file("usr/lib/initrd-release"),
  file(`usr/lib/modules/${RELEASE}/a.ko`),
]);
const INITRAMFS_TOOLS = writeCpio([file("init"), file("scripts/functions"), file("conf/initramfs.conf")]);

const extend = (base: Uint8Array) =>
  extendInitramfs(base, filesOfDirectory(image.root), { kernelRelease: RELEASE, sealedRoot: SEALED_ROOT });

async function extensionPaths(base: Uint8Array): Promise<string[]> {
  const joined = await extend(base);
  assert.equal(Buffer.compare(joined.subarray(0, base.length), base), 0);
  return [...walkInitramfs(joined, boundedUnpackers())].at(-1)?.entries.map(({ path }) => path) ?? [];
}

test("extendInitramfs() puts the extension last after every compression of the base", async () => {
  const early = writeCpio([file("kernel/x86/microcode")]);
  const bases = [
    SYSTEMD,
    zstdCompressSync(SYSTEMD),
    gzipSync(SYSTEMD),
    Buffer.concat([early, zstdCompressSync(SYSTEMD)]),
  ];
  for (const base of bases) {
    const paths = await extensionPaths(base);
    for (const name of ["bin/qjs", "bin/blkid", "bin/lookup", "permit", "objects"]) {
      assert.ok(paths.includes(`usr/lib/sealroot/${name}`), name);
    }
  }
});

test("extendInitramfs() of a systemd initrd requires our unit and leaves no way to a shell", async () => {
  const units = "usr/lib/systemd/system";
  const paths = await extensionPaths(SYSTEMD);
  for (const path of [
    `${units}/sealroot.service`,
    `${units}/initrd-root-fs.target.requires/sealroot.service`,
    `${units}/emergency.service.d/sealroot.conf`,
    `${units}/rescue.service.d/sealroot.conf`,
    `${units}/dracut-emergency.service.d/sealroot.conf`,
    ...["debug-shell", "breakpoint-pre-mount", "systemd-sysext", "systemd-confext", "systemd-sysext-initrd"].map(
      (name) => `${units}/${name}.service.d/sealroot.conf`,
    ),
    `${units}/bootc-root-setup.service.d/sealroot.conf`,
    `${units}/initrd-switch-root.service.d/sealroot.conf`,
  ]) {
    assert.ok(paths.includes(path), path);
  }
});

test("extendInitramfs() of initramfs-tools adds a configuration and a script, and no unit", async () => {
  const paths = await extensionPaths(INITRAMFS_TOOLS);
  assert.ok(paths.includes("conf/conf.d/zz-sealroot") && paths.includes("scripts/sealroot"));
  assert.ok(!paths.some((path) => path.includes("systemd")));
});

test("extendInitramfs() names no directory that may be a link in the base, and no file outside our own but the glue", async () => {
  for (const base of [SYSTEMD, INITRAMFS_TOOLS]) {
    const paths = await extensionPaths(base);
    for (const path of [
      "usr",
      "usr/lib",
      "usr/lib/systemd",
      "usr/lib/systemd/system",
      "conf",
      "scripts",
      "lib",
      "etc",
    ]) {
      assert.ok(!paths.includes(path), path);
    }
    const outside = paths.filter((path) => !path.startsWith("usr/lib/sealroot"));
    assert.ok(outside.every((path) => /^(usr\/lib\/systemd\/system\/|conf\/conf\.d\/|scripts\/)/.test(path)));
    assert.ok(paths.includes("usr/lib/sealroot/ld.so") && paths.includes("usr/lib/sealroot/lib/libc.so.6"));
  }
});

test("extendInitramfs() refuses another kernel's, an unknown kind and a damaged one", async () => {
  const other = writeCpio([
    link("init", "usr/lib/systemd/systemd"),
    file("etc/initrd-release"),
    file("usr/lib/modules/5.1/a.ko"),
  ]);
  await assert.rejects(extend(other), { code: "conflict", data: { expected: RELEASE, actual: "5.1" } });
  await assert.rejects(extend(writeCpio([file("init")])), { code: "unsupported", message: /neither systemd nor/ });
  const cut = zstdCompressSync(SYSTEMD).subarray(0, -5);
  await assert.rejects(extend(cut), { code: "corrupt" });
  await assert.rejects(extend(gzipSync(SYSTEMD).subarray(0, -5)), SealrootError);
});

test("unpackers end where the stream ends, whatever follows, and refuse damaged streams", () => {
  const content = Buffer.from("content ".repeat(1000));
  for (const [name, stream] of [
    ["gzip", gzipSync(content)],
    ["zstd", zstdCompressSync(content)],
  ] as const) {
    for (const tail of ["", "\0\0\0\0", "070701", "\x1f\x8b"]) {
      const { bytes, consumedBytes } = boundedUnpackers()[name](Buffer.concat([stream, Buffer.from(tail, "latin1")]));
      assert.equal(consumedBytes, stream.length, `${name} before ${JSON.stringify(tail)}`);
      assert.ok(content.equals(bytes));
    }
    for (let at = 4; at < stream.length; at += 3) {
      const damaged = Buffer.from(stream);
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      try {
        boundedUnpackers()[name](damaged);
      } catch (error) {
        assert.ok(error instanceof SealrootError, `${name}, byte ${at}: ${error}`);
      }
    }
  }
});
