/** `container inspect`, byte for byte as bootc prints it. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { run } from "../cli/run-verb.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sealroot-inspect-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, content = "x"): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

async function inspect(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run("container", "inspect", "--rootfs", root, ...words);
  assert.equal(exitCode, 0, err);
  return out;
}

test("an empty root has neither", async () => {
  assert.equal(await inspect(), "Kernel: <none>\n Kargs: <none>\n");
  assert.deepEqual(JSON.parse(await inspect("--json")), { kargs: [], kernel: null });
  assert.equal(await inspect("--format", "yaml"), "kargs: []\nkernel: null\n");
});

test("a kernel and its arguments, those for other machines left out", async () => {
  put("usr/lib/modules/6.12.0-100.fc41.x86_64/vmlinuz");
  put("usr/lib/bootc/kargs.d/20-b.toml", 'kargs = ["quiet"]\n');
  put("usr/lib/bootc/kargs.d/10-a.toml", 'kargs = ["console=ttyS0 a=\\"b c\\"", "root=UUID=1"]\n');
  put("usr/lib/bootc/kargs.d/30-c.toml", 'kargs = ["other"]\nmatch-architectures = ["s390x"]\n');
  put("usr/lib/bootc/kargs.d/README", "no TOML");
  assert.equal(
    await inspect(),
    'Kernel: 6.12.0-100.fc41.x86_64\n  Type: vmlinuz\n Kargs: console=ttyS0 a="b c" root=UUID=1 quiet\n',
  );
  assert.deepEqual(JSON.parse(await inspect("--format", "json")), {
    kargs: ["console=ttyS0", 'a="b c"', "root=UUID=1", "quiet"],
    kernel: { version: "6.12.0-100.fc41.x86_64", unified: false, type: "vmlinuz" },
  });
});

test("the first UKI by name goes before a kernel; add-ons and other files are none", async () => {
  put("usr/lib/modules/6.1/vmlinuz");
  put("boot/EFI/Linux/0.addon.efi");
  put("boot/EFI/Linux/.efi");
  put("boot/EFI/Linux/zzz.efi");
  put("boot/EFI/Linux/aaa-1.2.efi");
  assert.equal(await inspect(), "Kernel: aaa-1.2\n  Type: UKI\n Kargs: <none>\n");
});

test("Android images by what is in them, and never beside another kernel", async () => {
  put("boot/aboot-6.12.img", "ANDROID!");
  assert.equal(await inspect(), "Kernel: 6.12\n  Type: aboot\n Kargs: <none>\n");
  put("boot/aboot-6.12.img", "MZ");
  const { kernel } = JSON.parse(await inspect("--json"));
  assert.deepEqual(kernel, { version: "6.12", unified: true, type: "aboot-efi" });
  put("usr/lib/modules/6.1/vmlinuz");
  const { exitCode, err } = await run("container", "inspect", "--rootfs", root);
  assert.equal(exitCode, 1);
  assert.match(err, /\/boot\/aboot-6\.12\.img and another one/);
});

test("links lead inside the image, and a broken file of arguments is named", async () => {
  put("data/6.5/vmlinuz");
  mkdirSync(join(root, "usr/lib"), { recursive: true });
  symlinkSync("/data", join(root, "usr/lib/modules"));
  assert.match(await inspect(), /^Kernel: 6\.5\n/);
  put("usr/lib/bootc/kargs.d/1.toml", "kargs = 1\n");
  const { exitCode, err } = await run("container", "inspect", "--rootfs", root);
  assert.equal(exitCode, 1);
  assert.match(err, /usr\/lib\/bootc\/kargs\.d\/1\.toml: "kargs" is not a list of texts/);
  const nowhere = await run("container", "inspect", "--rootfs", join(root, "nowhere"));
  assert.equal(nowhere.exitCode, 1);
  assert.match(nowhere.err, /Cannot read the root file system .*nowhere/);
});
