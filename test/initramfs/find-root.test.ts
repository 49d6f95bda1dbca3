import assert from "node:assert/strict";
import { test } from "node:test";
import { RootSearch } from "../../initramfs/find-root.ts";
import type { RootSource } from "../../src/bootplan/index.ts";
import { type FakeMachine, fakeMachine } from "./fake-system.ts";

const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const ROOT = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
const LOADER = "/sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

function efiText(text: string): Uint8Array {
  return Buffer.concat([Buffer.from([6, 0, 0, 0]), Buffer.from(`${text}\0`, "utf16le")]);
}

const findRootDevice = (machine: FakeMachine, source: RootSource) => new RootSearch(machine, source).find();

/** Two disks, each with an ESP and a root partition. */
function machineWithDisks(appearAtMs = 0): FakeMachine {
  const machine = fakeMachine({ "/proc/sys/kernel/arch": "x86_64\n", [LOADER]: efiText("BB-1") });
  const partitions: Record<string, string> = {
    vda1: `PART_ENTRY_UUID=aa-1\nPART_ENTRY_TYPE=${ESP}\n`,
    vda2: `PART_ENTRY_UUID=aa-2\nPART_ENTRY_TYPE=${ROOT}\n`,
    vdb1: `PART_ENTRY_UUID=bb-1\nPART_ENTRY_TYPE=${ESP}\n`,
    vdb2: `PART_ENTRY_UUID=bb-2\nPART_ENTRY_TYPE=${ROOT}\nTYPE=ext4\n`,
  };
  const { list } = machine;
  const listed = (path: string) => {
    if (path !== "/sys/class/block") return list(path);
    return machine.nowMs() < appearAtMs ? [] : ["loop0", "sr0", "vda", "vdb", ...Object.keys(partitions)];
  };
  for (const name of Object.keys(partitions)) {
    machine.files.set(`/sys/class/block/${name}/partition`, "1\n");
    machine.files.set(`link:/sys/class/block/${name}/..`, `/sys/devices/x/${name.slice(0, 3)}`);
  }
  machine.answers.set("blkid", (args) => {
    const properties = partitions[args.at(-1)?.slice(5) ?? ""];
    return properties === undefined ? { status: 2 } : { output: Buffer.from(properties) };
  });
  return Object.assign(machine, { list: listed });
}

test("RootSearch takes the root partition of the disk the loader came from", () => {
  const machine = machineWithDisks();
  const device = findRootDevice(machine, { type: "loader-disk" });
  assert.equal(device.name, "vdb2");
  assert.equal(device.disk, "vdb");
  assert.ok(!machine.log.some((line) => /loop0|sr0/.test(line)));
});

test("RootSearch waits for a disk that appears late, and asks each partition once", () => {
  const machine = machineWithDisks(1000);
  assert.equal(findRootDevice(machine, { type: "loader-disk" }).name, "vdb2");
  assert.ok(machine.nowMs() >= 1000 && machine.nowMs() < 1500);
  assert.equal(machine.log.filter((line) => line.endsWith("/dev/vda1")).length, 1);
});

test("RootSearch loads the drivers of rarer disks only when no root is there without them", () => {
  const modules = "/usr/lib/sealroot/modules/6.12/order-slow";
  for (const appearAtMs of [0, 200]) {
    const machine = machineWithDisks(appearAtMs);
    machine.files.set("/proc/sys/kernel/osrelease", "6.12\n").set(modules, "ahci.ko\n");
    machine.answers.set("insmod", () => ({ output: Uint8Array.of(0) }));
    findRootDevice(machine, { type: "loader-disk" });
    assert.equal(machine.log.filter((line) => line.startsWith("insmod")).length, appearAtMs === 0 ? 0 : 1);
  }
});

test("RootSearch gives up after 30 s and lists what it saw", () => {
  const machine = machineWithDisks();
  assert.throws(() => findRootDevice(machine, { type: "tag", tag: "UUID", value: "none" }), {
    code: "not-found",
    message: "Cannot find the root device: a file system with UUID=none did not appear in 30 s",
    data: {
      expected: "a file system with UUID=none",
      actual:
        `vda; vdb; vda1 PART_ENTRY_UUID=aa-1 PART_ENTRY_TYPE=${ESP}; vda2 PART_ENTRY_UUID=aa-2 PART_ENTRY_TYPE=${ROOT}; ` +
        `vdb1 PART_ENTRY_UUID=bb-1 PART_ENTRY_TYPE=${ESP}; vdb2 TYPE=ext4 PART_ENTRY_UUID=bb-2 PART_ENTRY_TYPE=${ROOT}`,
    },
  });
  assert.ok(machine.nowMs() >= 30_000 && machine.nowMs() < 31_000);
});

test("RootSearch refuses two candidates at once", () => {
  const machine = machineWithDisks();
  machine.answers.set("blkid", () => ({ output: Buffer.from("LABEL=root\n") }));
  assert.throws(() => findRootDevice(machine, { type: "tag", tag: "LABEL", value: "root" }), {
    code: "conflict",
    message: "Cannot find the root device: 6 devices fit",
  });
  assert.ok(machine.nowMs() < 1000);
});

test("RootSearch does not guess when the loader said nothing", () => {
  const machine = machineWithDisks();
  machine.files.delete(LOADER);
  assert.throws(() => findRootDevice(machine, { type: "loader-disk" }), {
    code: "not-found",
    message: "Cannot find the root device: the boot loader did not say where it is",
  });
});

/** A machine whose partitions are these lines of blkid, with numbers of their own. */
function machineWithPartitions(partitions: Map<string, string>): FakeMachine {
  const machine = fakeMachine({ "/proc/sys/kernel/arch": "x86_64\n" });
  machine.answers.set("blkid", (args) => ({ output: Buffer.from(partitions.get(args.at(-1)?.slice(5) ?? "") ?? "") }));
  return Object.assign(machine, {
    list: (path: string) => (path === "/sys/class/block" ? [...partitions.keys()] : []),
    readBytes: (path: string) => {
      const name = /^\/sys\/class\/block\/(\w+)\/dev$/.exec(path)?.[1];
      if (name === undefined) return typeof machine.files.get(path) === "string" ? Buffer.from("x86_64\n") : undefined;
      return Buffer.from(`254:${[...partitions.keys()].indexOf(name)}\n`);
    },
  });
}

const BY_UUID = { type: "tag", tag: "UUID", value: "u-1" } as const;

test("RootSearch confirms the mounted root, and asks a device that it knows only once", () => {
  const machine = machineWithPartitions(new Map([["vda2", "UUID=u-1\nTYPE=ext4\n"]]));
  const search = new RootSearch(machine, BY_UUID);
  assert.equal(search.find().name, "vda2");
  search.confirm("254:0");
  assert.equal(machine.log.length, 1);
  // Of btrfs, mountinfo has no device; another initramfs may have mounted what blkid does not know.
  search.confirm("0:42");
  new RootSearch(machine, { ...BY_UUID, value: "other" }).confirm("254:7");
});

test("RootSearch refuses a copy of the root that appeared later, and a root that is another device", () => {
  const partitions = new Map([["vda2", "UUID=u-1\nTYPE=ext4\n"]]);
  const search = new RootSearch(machineWithPartitions(partitions), BY_UUID);
  search.find();
  assert.throws(() => search.confirm("254:9"), {
    code: "conflict",
    message: "Cannot find the root device: vda2 fits, and device 254:9 is mounted",
  });
  partitions.set("vdb2", "UUID=u-1\nTYPE=ext4\n");
  assert.throws(() => search.confirm("254:0"), {
    code: "conflict",
    message: "Cannot find the root device: 2 devices fit",
    data: {
      expected: "a file system with UUID=u-1",
      actual: "vda2 TYPE=ext4 UUID=u-1; vdb2 TYPE=ext4 UUID=u-1",
      hint: "remove one of the disks, or give its partitions identities of their own",
    },
  });
});

test("RootSearch confirms a file system on several devices", () => {
  const partitions = new Map(["1", "2"].map((sub) => [`vd${sub}`, `UUID=u-1\nTYPE=btrfs\nUUID_SUB=${sub}\n`]));
  new RootSearch(machineWithPartitions(partitions), BY_UUID).confirm("0:30");
});
