/** What opens an encrypted root is in the initramfs when the image has all of it, and only then. */
import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { readCpio } from "../../../src/cpio/index.ts";
import { buildInitramfsExtension, buildMinimalInitramfs } from "../../../src/seal/initramfs/index.ts";
import { filesOfDirectory } from "./directory-files.ts";
import { MODULE_BYTES, madeImage, RELEASE, SEALED_ROOT } from "./made-image.ts";

const BASE = "usr/lib/sealroot";
const KERNEL = `usr/lib/modules/${RELEASE}`;
const PROGRAMS = ["/usr/bin/systemd-cryptsetup", "/usr/bin/systemd-cryptenroll"];
const LIBRARIES = ["esys", "mu", "rc", "tcti-device"].map((name) => `/usr/lib/libtss2-${name}.so.0`);
const OPTIONS = { kernelRelease: RELEASE, sealedRoot: SEALED_ROOT };

let image: Awaited<ReturnType<typeof madeImage>>;
let plainDep: string;
before(async () => {
  image = await madeImage();
  const at = (path: string) => join(image.root, path);
  // Any program and any library will do.
  for (const path of PROGRAMS) copyFileSync(at("usr/bin/mount"), at(path));
  for (const path of LIBRARIES) copyFileSync(at("usr/bin/mount"), at(path));
  const dep =
    "kernel/drivers/md/dm-crypt.ko: kernel/drivers/md/dm-mod.ko\nkernel/drivers/md/dm-mod.ko:\nkernel/crypto/xts.ko:\n";
  plainDep = Buffer.from(await filesOfDirectory(image.root).read(`/${KERNEL}/modules.dep`)).toString();
  appendFileSync(at(`${KERNEL}/modules.dep`), dep);
  for (const name of ["drivers/md/dm-crypt", "drivers/md/dm-mod", "crypto/xts"]) {
    const path = at(`${KERNEL}/kernel/${name}.ko`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, MODULE_BYTES);
  }
});
after(() => image.remove());

async function namesIn(replaced?: ReadonlyMap<string, string | undefined>): Promise<Map<string, string>> {
  const { entries } = readCpio(await buildMinimalInitramfs(filesOfDirectory(image.root, replaced), OPTIONS));
  return new Map(
    entries.map((entry) => [entry.path, entry.kind === "file" ? Buffer.from(entry.bytes).toString() : ""]),
  );
}

test("an image with systemd-cryptsetup, the libraries of a TPM and dm-crypt has all of it in its initramfs", async () => {
  const names = await namesIn();
  for (const path of PROGRAMS) assert.ok(names.has(`${BASE}/bin/${path.split("/").at(-1)}`), path);
  for (const path of LIBRARIES) assert.ok(names.has(path.slice(1)), path);
  const folder = `${BASE}/modules/${RELEASE}`;
  assert.equal(names.get(`${folder}/order-crypt`), "dm-mod.ko\ndm-crypt.ko\nxts.ko\n");
  for (const name of ["dm-mod", "dm-crypt", "xts"]) assert.ok(names.has(`${folder}/${name}.ko`), name);
  assert.ok(!names.get(`${folder}/order`)?.includes("dm-"), "they are loaded when there is such a root");
});

test("an image that lacks a part has nothing of it", async () => {
  const lacking = [...PROGRAMS, ...LIBRARIES].map((path) => new Map([[path, undefined]]));
  // A kernel that cannot encrypt.
  for (const replaced of [...lacking, new Map([[`/${KERNEL}/modules.dep`, plainDep]])]) {
    const names = [...(await namesIn(replaced)).keys()];
    const found = names.filter((name) => /cryptsetup|cryptenroll|libtss2|order-crypt|dm-/.test(name));
    assert.deepEqual(found, [], [...replaced.keys()].join());
  }
});

test("a kernel with all of it built in has nothing to load", async () => {
  const builtIn = "kernel/fs/ext4/ext4.ko\nkernel/drivers/block/loop.ko\nkernel/drivers/md/dm-crypt.ko\n";
  const names = await namesIn(
    new Map([
      [`/${KERNEL}/modules.dep`, plainDep],
      [`/${KERNEL}/modules.builtin`, builtIn],
    ]),
  );
  assert.equal(names.get(`${BASE}/modules/${RELEASE}/order-crypt`), "");
  assert.ok(names.has(`${BASE}/bin/systemd-cryptsetup`));
});

test("an extension of the image's own initramfs has nothing of it: that one opens its root itself", async () => {
  const extension = await buildInitramfsExtension(filesOfDirectory(image.root), { ...OPTIONS, kind: "systemd" });
  const names = readCpio(zstdDecompressSync(extension)).entries.map(({ path }) => path);
  assert.ok(!names.some((name) => /cryptsetup|libtss2|order-crypt/.test(name)));
});
