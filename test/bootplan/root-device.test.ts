import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandLine } from "../../src/bls/index.ts";
import {
  type BlockDevice,
  describeDevices,
  describeRootSource,
  isOneFileSystem,
  parseBlkidExport,
  parseRootArgument,
  rootCandidates,
} from "../../src/bootplan/index.ts";

const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const ROOT = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
const parse = (text: string) => parseRootArgument(CommandLine.parse(text));

test("parseRootArgument() knows tags, devices and the loader's disk, and refuses other forms", () => {
  assert.deepEqual(parse("rw"), { type: "loader-disk" });
  assert.deepEqual(parse("root=gpt-auto"), { type: "loader-disk" });
  assert.deepEqual(parse("root=/dev/vda2"), { type: "device", path: "/dev/vda2" });
  assert.deepEqual(parse('root="LABEL=a b"'), { type: "tag", tag: "LABEL", value: "a b" });
  assert.deepEqual(parse("root=PARTUUID=1-2"), { type: "tag", tag: "PARTUUID", value: "1-2" });
  for (const text of ["root", "root=", "root=UUID=", "root=/dev/disk/by-uuid/1", "root=zfs:x", "root=/etc"]) {
    assert.throws(() => parse(text), { code: "unsupported", message: /unknown form/ }, text);
  }
  assert.throws(() => parse("root=/dev/a root=/dev/b"), { code: "conflict" });
});

test("parseBlkidExport() takes backslashes off", () => {
  const text = "DEVNAME=/dev/vda2\nLABEL=a\\ b\\=c\nTYPE=ext4\n\n";
  assert.deepEqual(Object.fromEntries(parseBlkidExport(text)), { DEVNAME: "/dev/vda2", LABEL: "a b=c", TYPE: "ext4" });
});

function device(name: string, properties: Record<string, string>, isPart = false): BlockDevice {
  return { name, disk: name.replace(/[0-9]+$/, ""), properties: new Map(Object.entries(properties)), isPart };
}

const DEVICES = [
  device("vda", { PTTYPE: "gpt" }),
  device("vda1", { PART_ENTRY_UUID: "aa-1", PART_ENTRY_TYPE: ESP, TYPE: "vfat", UUID: "11-22" }),
  device("vda2", { PART_ENTRY_UUID: "aa-2", PART_ENTRY_TYPE: ROOT, TYPE: "ext4", UUID: "u-1", LABEL: "root" }),
  device("vdb1", { PART_ENTRY_UUID: "bb-1", PART_ENTRY_TYPE: ROOT, TYPE: "ext4", UUID: "u-2", LABEL: "root" }),
];

function names(text: string, loader?: string, devices = DEVICES, machine = "x86_64"): string[] {
  return rootCandidates(parse(text), devices, loader, machine).map(({ name }) => name);
}

test("rootCandidates() finds the root partition on the loader's disk and on no other", () => {
  assert.deepEqual(names("rw", "AA-1"), ["vda2"]);
  assert.deepEqual(names("rw", "BB-1"), ["vdb1"]);
  assert.deepEqual(names("rw", "cc-1"), []);
  assert.deepEqual(names("rw", undefined), []);
  assert.deepEqual(names("rw", "AA-1", DEVICES, "aarch64"), []);
});

test("rootCandidates() finds none on a loader's disk without root partition, and both of two", () => {
  const without = DEVICES.filter(({ name }) => name !== "vda2");
  assert.deepEqual(names("rw", "aa-1", without), []);
  const second = device("vda3", { PART_ENTRY_UUID: "aa-3", PART_ENTRY_TYPE: ROOT });
  assert.deepEqual(names("rw", "aa-1", [...DEVICES, second]), ["vda2", "vda3"]);
});

test("rootCandidates() refuses to guess between two partitions with the loader's identity", () => {
  const copies = DEVICES.slice(0, 3).map(({ name, properties }) =>
    device(name.replace("vda", "vdc"), Object.fromEntries(properties)),
  );
  assert.throws(() => names("rw", "AA-1", [...DEVICES, ...copies]), {
    code: "conflict",
    message: "Cannot find the root device: 2 partitions are the one that the boot loader came from",
    data: {
      expected: "one partition with PARTUUID=aa-1",
      actual: `vda1 TYPE=vfat UUID=11-22 PART_ENTRY_UUID=aa-1 PART_ENTRY_TYPE=${ESP}; vdc1 TYPE=vfat UUID=11-22 PART_ENTRY_UUID=aa-1 PART_ENTRY_TYPE=${ESP}`,
      hint: "remove one of the disks, or give its partitions identities of their own",
    },
  });
  // Only the loader's partition was copied: its disk's root would be found, and it would be a guess all the same.
  assert.throws(() => names("rw", "AA-1", [...DEVICES, ...copies.slice(0, 2)]), { code: "conflict" });
  // Only the root partition was copied, to a disk that the loader did not come from.
  assert.deepEqual(names("rw", "AA-1", [...DEVICES, ...copies.slice(2)]), ["vda2"]);
  assert.deepEqual(names("root=PARTUUID=aa-2", undefined, [...DEVICES, ...copies]), ["vda2", "vdc2"]);
  assert.deepEqual(names("root=UUID=u-1", undefined, [...DEVICES, ...copies]), ["vda2", "vdc2"]);
});

test("rootCandidates() takes the whole of a RAID or multipath device, not its parts", () => {
  const parts = ["sda2", "sdb2"].map((name) => device(name, { UUID: "u-9", TYPE: "ext4" }, true));
  const whole = device("dm-0", { UUID: "u-9", TYPE: "ext4" });
  assert.deepEqual(names("root=UUID=u-9", undefined, [...parts, whole]), ["dm-0"]);
  assert.deepEqual(names("root=/dev/sda2", undefined, [...parts, whole]), ["sda2"]);
});

test("isOneFileSystem() knows the members of a file system on several devices from copies of one", () => {
  const member = (name: string, sub: string | undefined, type = "btrfs") =>
    device(name, { UUID: "u-1", TYPE: type, ...(sub !== undefined && { UUID_SUB: sub }) });
  assert.equal(isOneFileSystem([member("sda", "1"), member("sdb", "2")]), true);
  assert.equal(isOneFileSystem([member("sda", "1"), member("sdb", "1")]), false);
  assert.equal(isOneFileSystem([member("sda", undefined, "ext4"), member("sdb", undefined, "ext4")]), false);
  assert.equal(isOneFileSystem([member("sda", undefined, "ext4")]), false);
  assert.equal(isOneFileSystem([member("sda", "1"), member("sdb", "2", "bcachefs")]), false);
});

test("rootCandidates() leaves out a partition that must not be mounted automatically", () => {
  const hidden = device("vda3", { PART_ENTRY_TYPE: ROOT, PART_ENTRY_FLAGS: "0x8000000000000000" });
  assert.deepEqual(names("rw", "aa-1", [...DEVICES, hidden]), ["vda2"]);
});

test("rootCandidates() matches tags exactly", () => {
  assert.deepEqual(names("root=UUID=u-1"), ["vda2"]);
  assert.deepEqual(names("root=UUID=U-1"), []);
  assert.deepEqual(names("root=PARTUUID=AA-2"), ["vda2"]);
  assert.deepEqual(names("root=LABEL=root"), ["vda2", "vdb1"]);
  assert.deepEqual(names("root=/dev/vdb1"), ["vdb1"]);
});

test("describeDevices() lists what was seen", () => {
  assert.equal(describeDevices([]), "no block device");
  assert.equal(
    describeDevices(DEVICES.slice(0, 2)),
    `vda; vda1 TYPE=vfat UUID=11-22 PART_ENTRY_UUID=aa-1 PART_ENTRY_TYPE=${ESP}`,
  );
  assert.equal(describeRootSource(parse("root=UUID=u-1")), "a file system with UUID=u-1");
});
