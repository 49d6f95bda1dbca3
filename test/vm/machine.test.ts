import assert from "node:assert/strict";
import { test } from "node:test";
import { AGENT_CREDENTIALS, smbiosArguments } from "../../src/vm/credentials.ts";
import { type Machine, machineArguments, machineProgram } from "../../src/vm/machine.ts";

const MACHINE: Machine = {
  architecture: "amd64",
  accelerator: "tcg",
  memoryMiB: 1024,
  cpus: 2,
  drives: [{ path: "/disks/a,b.img" }],
  boot: { codePath: "/fw/CODE.fd", variablesPath: "/fw/vars.fd" },
  credentials: {},
  smbiosStrings: [],
  watchdog: false,
  network: false,
  reboots: false,
  console: "captured",
};

test("a machine with firmware has the arguments proven in spec/boot-chain.md C", () => {
  assert.deepEqual(machineArguments(MACHINE), [
    ...["-machine", "q35,smm=on,vmport=off", "-accel", "tcg,thread=single", "-cpu", "max,-cx16", "-smp", "2"],
    ...["-m", "1024", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"],
    ...["-drive", "if=pflash,format=raw,unit=0,readonly=on,file=/fw/CODE.fd"],
    ...["-drive", "if=pflash,format=raw,unit=1,file=/fw/vars.fd"],
    ...["-global", "driver=cfi.pflash01,property=secure,value=on"],
    ...["-drive", "if=virtio,format=raw,snapshot=on,cache=unsafe,file=/disks/a,,b.img"],
  ]);
});

test("a machine for arm64 is QEMU's own board, emulated, and its variables are guarded by nothing but their signatures", () => {
  const machine: Machine = { ...MACHINE, architecture: "arm64", tpmSocketPath: "/t" };
  assert.equal(machineProgram(machine), "qemu-system-aarch64");
  assert.deepEqual(machineArguments(machine), [
    ...["-machine", "virt", "-accel", "tcg,thread=single", "-cpu", "cortex-a72", "-smp", "2"],
    ...["-m", "1024", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"],
    ...["-drive", "if=pflash,format=raw,unit=0,readonly=on,file=/fw/CODE.fd"],
    ...["-drive", "if=pflash,format=raw,unit=1,file=/fw/vars.fd"],
    ...["-drive", "if=virtio,format=raw,snapshot=on,cache=unsafe,file=/disks/a,,b.img"],
    ...["-chardev", "socket,id=tpm,path=/t", "-tpmdev", "emulator,id=tpm0,chardev=tpm"],
    ...["-device", "tpm-tis-device,tpmdev=tpm0"],
  ]);
});

test("a kernel booted directly needs no firmware, and each part adds its own arguments", () => {
  const line = machineArguments({
    ...MACHINE,
    accelerator: "kvm",
    drives: [
      { path: "/a", mode: "persist" },
      { path: "/b", mode: "read-only", bus: "nvme" },
    ],
    boot: { kernelPath: "/vmlinuz", initrdPath: "/initrd", commandLine: "quiet" },
    agentSocketPath: "/s",
    tpmSocketPath: "/t",
    watchdog: true,
    network: true,
    reboots: true,
    console: { terminalLogPath: "/tmp/console,1" },
  }).join(" ");
  assert.equal(
    line,
    "-machine q35,smm=off,vmport=off -accel kvm -cpu host -smp 2 -m 1024 -nodefaults -display none " +
      "-chardev stdio,id=console,mux=on,signal=off,logfile=/tmp/console,,1 -serial chardev:console -mon chardev=console -kernel /vmlinuz -initrd /initrd -append quiet " +
      "-drive if=virtio,format=raw,cache=writeback,file=/a " +
      "-drive if=none,id=nvme1,format=raw,readonly=on,cache=unsafe,file=/b -device nvme,drive=nvme1,serial=nvme1 " +
      "-netdev user,id=net0 -device virtio-net-pci,netdev=net0,romfile= " +
      "-device virtio-serial-pci -chardev socket,id=agent,path=/s -device virtserialport,chardev=agent,name=sealroot.agent " +
      "-chardev socket,id=tpm,path=/t -tpmdev emulator,id=tpm0,chardev=tpm -device tpm-crb,tpmdev=tpm0 " +
      "-device i6300esb -action watchdog=reset",
  );
});

test("a disk whose writes are recorded keeps them as well, through a cache that the guest has to flush", () => {
  const [drive] = machineArguments({
    ...MACHINE,
    drives: [{ path: "/a,b", mode: "persist", writeLogPath: "/log,1" }],
  }).slice(-1);
  assert.equal(
    drive,
    "if=virtio,driver=blklogwrites,cache=writeback,file.driver=file,file.filename=/a,,b,log.driver=file,log.filename=/log,,1",
  );
});

test("credentials travel as base64, further strings as they are with their commas doubled", () => {
  assert.deepEqual(smbiosArguments({ greeting: 'a,"b"\n' }, ["io.systemd.stub.kernel-cmdline-extra=a=1,2"]), [
    ...["-smbios", "type=11,value=io.systemd.credential.binary:greeting=YSwiYiIK"],
    ...["-smbios", "type=11,value=io.systemd.stub.kernel-cmdline-extra=a=1,,2"],
  ]);
});

test("strings that the firmware would lose are refused, the agent's own ones leave room", () => {
  assert.throws(() => smbiosArguments({ large: "x".repeat(25_000) }, []), { code: "usage" });
  assert.ok(smbiosArguments(AGENT_CREDENTIALS, []).join("").length < 4096);
});
