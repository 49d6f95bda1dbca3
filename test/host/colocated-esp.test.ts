/** The ESP beside a root file system, as the kernel and udev tell of partitions. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findColocatedEsp } from "../../src/host/colocated-esp.ts";

const ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";

/** Disks with partitions by type, and a device made of others. */
function machine(disks: Readonly<Record<string, readonly string[]>>, mapped: readonly string[]) {
  const path = mkdtempSync(join(tmpdir(), "sealroot-sys-"));
  const folders = { sys: join(path, "sys"), udev: join(path, "udev") };
  mkdirSync(join(folders.sys, "dev/block"), { recursive: true });
  mkdirSync(folders.udev);
  let minor = 0;
  const device = (name: string, folder: string) => {
    mkdirSync(folder, { recursive: true });
    const number = `253:${minor++}`;
    writeFileSync(join(folder, "dev"), `${number}\n`);
    symlinkSync(folder, join(folders.sys, "dev/block", name));
    return number;
  };
  for (const [disk, types] of Object.entries(disks)) {
    device(disk, join(folders.sys, disk));
    for (const [index, type] of types.entries()) {
      const name = `${disk}${index + 1}`;
      const number = device(name, join(folders.sys, disk, name));
      writeFileSync(join(folders.sys, disk, name, "partition"), `${index + 1}\n`);
      writeFileSync(join(folders.udev, `b${number}`), `S:disk/x\nE:ID_PART_ENTRY_TYPE=${type}\nE:OTHER=${ESP}\n`);
    }
  }
  device("dm-0", join(folders.sys, "dm-0"));
  mkdirSync(join(folders.sys, "dm-0/slaves"));
  for (const name of mapped) symlinkSync(join(folders.sys, "dev/block", name), join(folders.sys, "dm-0/slaves", name));
  return { folders, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test("a partition's own disk, whatever other disks have", () => {
  using host = machine({ vda: [LINUX, ESP, LINUX], vdb: [ESP, LINUX] }, []);
  assert.equal(findColocatedEsp("vda3", host.folders), "/dev/vda2");
  assert.equal(findColocatedEsp("vdb2", host.folders), "/dev/vdb1");
  assert.equal(findColocatedEsp("gone", host.folders), undefined);
});

test("an encrypted root; a disk without one; the first of several", () => {
  using host = machine({ vda: [LINUX], vdb: [LINUX, ESP] }, ["vda1", "vdb1"]);
  assert.equal(findColocatedEsp("dm-0", host.folders), "/dev/vdb2");
  assert.equal(findColocatedEsp("vda1", host.folders), undefined);
});
