import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { configurationJson, loadInstallConfiguration } from "../../src/install/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sealroot-configuration-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function dropIn(path: string, text: string): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

test("files are merged in the order of their names, and later directories mask earlier ones", async () => {
  dropIn("usr/lib/bootc/install/20-b.toml", '[install]\nkargs = ["b"]\nroot-fs-type = "ext4"\n');
  dropIn("usr/lib/bootc/install/10-a.toml", '[install]\nkargs = ["masked"]\n');
  dropIn(
    "etc/bootc/install/10-a.toml",
    '[install]\nkargs = ["a"]\nstateroot = "x"\n[install.bootupd]\nskip-boot-uuid = true\n',
  );
  const { configuration, warnings } = await loadInstallConfiguration(root, "x86_64");
  assert.deepEqual(configuration, {
    kargs: ["a", "b"],
    stateroot: "x",
    bootupd: { "skip-boot-uuid": true },
    "root-fs-type": "ext4",
    filesystem: { root: { type: "ext4" } },
    block: ["direct"],
  });
  assert.deepEqual(warnings, []);
});

test("filesystem.root.type wins over the old spelling", async () => {
  dropIn(
    "usr/lib/bootc/install/a.toml",
    '[install]\nroot-fs-type = "ext4"\n[install.filesystem.root]\ntype = "btrfs"\n',
  );
  const { configuration } = await loadInstallConfiguration(root, "x86_64");
  assert.equal(configuration["root-fs-type"], "btrfs");
});

test("a file for another architecture is passed over", async () => {
  dropIn("usr/lib/bootc/install/a.toml", '[install]\nstateroot = "all"\n');
  dropIn("usr/lib/bootc/install/b.toml", '[install]\nmatch-architectures = ["aarch64"]\nstateroot = "arm"\n');
  assert.equal((await loadInstallConfiguration(root, "x86_64")).configuration.stateroot, "all");
  assert.equal((await loadInstallConfiguration(root, "aarch64")).configuration.stateroot, "arm");
});

test("an unknown key is a warning, a wrong value an error that names file and key", async () => {
  dropIn("usr/lib/bootc/install/a.toml", "[install]\nnew-key = 1\n[other]\n");
  const path = join(root, "usr/lib/bootc/install/a.toml");
  const { warnings } = await loadInstallConfiguration(root, "x86_64");
  assert.deepEqual(warnings, [`${path}: Unknown key other`, `${path}: Unknown key install.new-key`]);
  dropIn("usr/lib/bootc/install/a.toml", '[install]\nroot-fs-type = "ntfs"\n');
  await assert.rejects(loadInstallConfiguration(root, "x86_64"), {
    code: "corrupt",
    message: new RegExp(`^Cannot parse ${path}: install.root-fs-type: `),
  });
});

test("the JSON has all keys, sorted, and kernel arguments only when asked for", async () => {
  dropIn("usr/lib/bootc/install/a.toml", '[install]\nkargs = ["quiet"]\nroot-fs-type = "ext4"\n');
  const { configuration } = await loadInstallConfiguration(root, "x86_64");
  const expected =
    '{"block":["direct"],"boot-mount-spec":null,"bootloader":null,"bootupd":null,"discoverable-partitions":null,' +
    '"enforce-container-sigpolicy":null,"filesystem":{"root":{"type":"ext4"}},"match-architectures":null,"ostree":null,' +
    '"root-fs-type":"ext4","root-mount-spec":null,"stateroot":null}';
  assert.equal(configurationJson(configuration, false), expected);
  assert.equal(configurationJson(configuration, true), expected.replace('"match-', '"kargs":["quiet"],"match-'));
});
