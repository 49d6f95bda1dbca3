import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { boundedUnpackers } from "../../../src/bootimage/initramfs-archives.ts";
import { type CpioEntry, readCpio, walkInitramfs, writeCpio } from "../../../src/cpio/index.ts";
import { buildMinimalInitramfs } from "../../../src/seal/initramfs/index.ts";
import { filesOfDirectory } from "./directory-files.ts";
import { MODULE_BYTES, madeImage, RELEASE, SEALED_ROOT } from "./made-image.ts";

let image: Awaited<ReturnType<typeof madeImage>>;
before(async () => {
  image = await madeImage();
});
after(() => image.remove());

const BASE = "usr/lib/sealroot";
const FOLDER = `${BASE}/modules/${RELEASE}`;

const build = (replaced?: ReadonlyMap<string, string | undefined>, compress = false) =>
  buildMinimalInitramfs(filesOfDirectory(image.root, replaced), {
    kernelRelease: RELEASE,
    sealedRoot: SEALED_ROOT,
    compress,
  });

function byPath(archive: Uint8Array): Map<string, CpioEntry> {
  return new Map(readCpio(archive).entries.map((entry) => [entry.path, entry]));
}

test("buildMinimalInitramfs() gives the same bytes every time, compressed or not", async () => {
  const plain = await build();
  assert.equal(Buffer.compare(await build(), plain), 0);
  const compressed = await build(undefined, true);
  assert.ok(compressed.length < plain.length);
  const [segment, ...others] = walkInitramfs(compressed, boundedUnpackers());
  assert.equal(others.length, 0);
  assert.equal(Buffer.compare(writeCpio(segment?.entries ?? []), plain), 0);
});

test("buildMinimalInitramfs() holds init, console, mount points, programs and the loader where they are looked for", async () => {
  const entries = byPath(await build());
  assert.equal(entries.get("init")?.mode, 0o755);
  const console = entries.get("dev/console");
  assert.deepEqual(console, { kind: "character-device", path: "dev/console", mode: 0o600, major: 5, minor: 1 });
  for (const path of ["proc", "sys", "dev", "run", "sysroot"]) assert.equal(entries.get(path)?.kind, "directory", path);
  for (const name of ["qjs", "mount", "umount", "blkid", "switch_root", "measure", "insmod", "lookup"]) {
    assert.equal(entries.get(`${BASE}/bin/${name}`)?.mode, 0o755, name);
  }
  const merged = entries.get("lib64");
  assert.ok(merged?.kind === "symlink" && (merged.target as string) === "usr/lib64");
  assert.ok([...entries.keys()].some((path) => /^usr\/lib(64|\/\w+)\/ld-linux/.test(path)));
  assert.ok([...entries.keys()].some((path) => path.endsWith("/libc.so.6")));
});

test("buildMinimalInitramfs() names every directory before what is in it", async () => {
  const seen = new Set<string>();
  for (const { path, kind } of readCpio(await build()).entries) {
    const parent = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
    assert.ok(parent === "" || seen.has(parent), `${parent} before ${path}`);
    if (kind === "directory") seen.add(path);
  }
});

test("buildMinimalInitramfs() holds the modules that are needed, decompressed, in the order to load them", async () => {
  const entries = byPath(await build());
  const order = entries.get(`${FOLDER}/order`);
  assert.ok(order?.kind === "file");
  assert.equal(Buffer.from(order.bytes).toString(), "virtio_blk.ko\nlibcrc32c.ko\nerofs.ko\noverlay.ko\n");
  const slow = entries.get(`${FOLDER}/order-slow`);
  assert.ok(slow?.kind === "file");
  assert.equal(Buffer.from(slow.bytes).toString(), "ahci.ko\n");
  const watchdogs = entries.get(`${FOLDER}/order-watchdog`);
  assert.ok(watchdogs?.kind === "file");
  assert.equal(Buffer.from(watchdogs.bytes).toString(), "watchdog.ko\ni6300esb.ko\nsoftdog.ko\n");
  for (const name of ["virtio_blk", "libcrc32c", "erofs", "overlay", "ahci", "watchdog", "i6300esb", "softdog"]) {
    const module = entries.get(`${FOLDER}/${name}.ko`);
    assert.ok(module?.kind === "file" && MODULE_BYTES.equals(module.bytes), name);
  }
  assert.ok(!entries.has(`${FOLDER}/unused.ko`));
});

test("buildMinimalInitramfs() includes the image's setup-root-conf.toml, and refuses a wrong one now", async () => {
  const path = "/usr/lib/composefs/setup-root-conf.toml";
  const good = byPath(await build(new Map([[path, "[etc]\nmount = 'overlay'\n"]]))).get(`${BASE}/setup-root-conf.toml`);
  assert.ok(good?.kind === "file");
  assert.equal(Buffer.from(good.bytes).toString(), "[etc]\nmount = 'overlay'\n");
  await assert.rejects(build(new Map([[path, "[etc]\nmount = 'all'\n"]])), {
    code: "corrupt",
    message: /etc\.mount is "all"/,
  });
  assert.ok(!byPath(await build()).has(`${BASE}/setup-root-conf.toml`));
});

test("a setup-root-conf.toml that is something else is not taken for none", async () => {
  const folder = join(image.root, "usr/lib/composefs");
  mkdirSync(folder);
  symlinkSync("gone.toml", join(folder, "setup-root-conf.toml"));
  await assert.rejects(build(), {
    code: "unsupported",
    message: "Cannot use /usr/lib/composefs/setup-root-conf.toml in the image: it is a symbolic link to nothing",
  });
  rmSync(folder, { recursive: true });
});

test("buildMinimalInitramfs() holds the permit as it was given", async () => {
  const permit = byPath(await build()).get(`${BASE}/permit`);
  assert.ok(permit?.kind === "file");
  assert.equal(Buffer.from(permit.bytes).toString(), SEALED_ROOT.permit);
});

test("buildMinimalInitramfs() lists every object once, in order, unless the image's configuration turns the check off", async () => {
  const list = byPath(await build()).get(`${BASE}/objects`);
  assert.ok(list?.kind === "file");
  assert.equal(Buffer.from(list.bytes).toString("hex"), "01".repeat(64) + "02".repeat(64));
  const path = "/usr/lib/composefs/setup-root-conf.toml";
  assert.ok(!byPath(await build(new Map([[path, "check-objects = false\n"]]))).has(`${BASE}/objects`));
  assert.ok(byPath(await build(new Map([[path, "check-objects = true\n"]]))).has(`${BASE}/objects`));
});

test("buildMinimalInitramfs() names a missing program and its packages", async () => {
  const cases: [string, RegExp][] = [
    ["/usr/bin/qjs", /Debian: quickjs; Fedora: quickjs/],
    ["/usr/bin/mount", /Debian: mount; Fedora: util-linux-core/],
    ["/usr/sbin/switch_root", /Debian: util-linux;/],
  ];
  for (const [path, hint] of cases) {
    await assert.rejects(build(new Map([[path, undefined]])), {
      code: "unsupported",
      message: `Cannot build the initramfs: the image has no ${path.split("/").at(-1)}`,
      data: { path, hint: await hintOf(path, hint) },
    });
  }
});

async function hintOf(path: string, pattern: RegExp): Promise<string> {
  try {
    await build(new Map([[path, undefined]]));
  } catch (error) {
    const { hint } = (error as { data: { hint: string } }).data;
    assert.match(hint, pattern);
    return hint;
  }
  throw new Error("not refused");
}

test("buildMinimalInitramfs() refuses a kernel that cannot mount a sealed root", async () => {
  const dep = `/usr/lib/modules/${RELEASE}/modules.dep`;
  await assert.rejects(build(new Map([[dep, "kernel/fs/overlayfs/overlay.ko:\n"]])), {
    code: "unsupported",
    message: `Cannot build the initramfs: kernel ${RELEASE} has no erofs`,
  });
});
