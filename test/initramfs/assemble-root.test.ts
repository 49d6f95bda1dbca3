import assert from "node:assert/strict";
import { test } from "node:test";
import { assembleRoot } from "../../initramfs/assemble-root.ts";
import { type FakeMachine, fakeMachine } from "./fake-system.ts";

const ID = "ab".repeat(64);
const PHYSICAL = "/run/sealroot/physical";
const IMAGE = `${PHYSICAL}/composefs/images/${ID}`;
const STATE = `${PHYSICAL}/state/deploy/${ID}`;
const MEASURED = Buffer.concat([Buffer.from([2, 0, 64, 0]), Buffer.from(ID, "hex")]);

/** A machine whose one disk is fine. */
function goodMachine(commandLine = `composefs=${ID} root=UUID=u-1 rw`): FakeMachine {
  const machine = fakeMachine({
    "/proc/cmdline": `${commandLine}\n`,
    "/usr/lib/sealroot/permit": `composefs=${commandLine.includes("=?") ? "?" : ""}${ID}\n`,
    "/proc/sys/kernel/arch": "x86_64\n",
    "/proc/self/mountinfo": `22 1 0:5 / /dev rw - devtmpfs x rw\n30 1 254:2 / ${PHYSICAL} rw - ext4 /dev/vda2 rw\n`,
    "/sys/class/block/vda2/partition": "2\n",
    "link:/sys/class/block/vda2/..": "/sys/devices/pci/block/vda",
    [IMAGE]: "",
  });
  for (const path of [STATE, `${STATE}/etc`, `${STATE}/var`, "/sysroot/sysroot"]) machine.directories.add(path);
  machine.answers.set("blkid", () => ({ output: Buffer.from("TYPE=ext4\nUUID=u-1\n") }));
  machine.answers.set("measure", () => ({ output: MEASURED }));
  return machine;
}

const FIND = { newRoot: "/sysroot", rootIsMounted: false };

test("assembleRoot() finds the disk, measures the held image and mounts that very file", () => {
  const machine = goodMachine();
  assembleRoot(machine, FIND);
  assert.deepEqual(machine.log, [
    "blkid -p -o export /dev/vda2",
    `mount -n -t ext4 -o rw /dev/vda2 ${PHYSICAL}`,
    "link /run/systemd/volatile-root -> /dev/block/254:2",
    "measure /proc/9/fd/3",
    "mount -n -c -t erofs -o ro /proc/9/fd/3 /run/sealroot/image",
    `mount -n -c -t overlay -o ro,metacopy=on,redirect_dir=on,verity=require,lowerdir=/run/sealroot/image::${PHYSICAL}/composefs/objects composefs:${ID} /sysroot`,
    `mount -n -o bind,ro ${PHYSICAL} /sysroot/sysroot`,
    `mount -n -o bind ${STATE}/etc /sysroot/etc`,
    `mount -n -o bind ${STATE}/var /sysroot/var`,
    "umount -n -l /run/sealroot/image",
    `umount -n -l ${PHYSICAL}`,
  ]);
  assert.deepEqual(machine.reports, [`information: the root is composefs:${ID}, fs-verity required`]);
});

test("assembleRoot() in another initramfs takes a private view of the mounted root and asks no disk", () => {
  const machine = goodMachine();
  machine.directories.add("/usr/lib/sealroot/lib");
  assembleRoot(machine, { newRoot: "/root", rootIsMounted: true });
  const loader = "/usr/lib/sealroot/ld.so --library-path /usr/lib/sealroot/lib";
  assert.deepEqual(machine.log.slice(0, 4), [
    `${loader} mount -n --bind --make-private /root ${PHYSICAL}`,
    `${loader} mount -n -o remount,rw ${PHYSICAL}`,
    "link /run/systemd/volatile-root -> /dev/block/254:2",
    "measure /proc/9/fd/3",
  ]);
});

test("assembleRoot() mounts nothing when the digest is another one", () => {
  const machine = goodMachine();
  machine.answers.set("measure", () => ({ output: Buffer.concat([MEASURED.subarray(0, 67), Buffer.from([0])]) }));
  assert.throws(() => assembleRoot(machine, FIND), {
    code: "untrusted",
    data: { path: IMAGE, expected: `sha512:${ID}`, actual: `sha512:${ID.slice(0, 126)}00` },
  });
  assert.equal(machine.log.filter((line) => line.includes("erofs") || line.includes("overlay")).length, 0);
});

test("assembleRoot() refuses an image without fs-verity, unless the command line has the question mark", () => {
  const strict = goodMachine();
  strict.answers.set("measure", () => ({ status: 61 }));
  assert.throws(() => assembleRoot(strict, FIND), { code: "untrusted", message: /fs-verity does not vouch/ });
  const optional = goodMachine(`composefs=?${ID} root=/dev/vda2`);
  optional.answers.set("measure", () => ({ status: 61 }));
  assembleRoot(optional, FIND);
  assert.ok(!optional.log.some((line) => line.includes("verity=require")));
  assert.match(optional.reports[0] ?? "", /WITHOUT fs-verity/);
});

test("assembleRoot() says what is missing: image, state, tool", () => {
  const withoutImage = goodMachine();
  withoutImage.files.delete(IMAGE);
  assert.throws(() => assembleRoot(withoutImage, FIND), { code: "not-found", message: /not in the repository/ });
  const withoutState = goodMachine();
  withoutState.directories.delete(STATE);
  assert.throws(() => assembleRoot(withoutState, FIND), { code: "not-found", data: { path: STATE } });
  const failing = goodMachine();
  failing.answers.set("mount", () => ({ status: 32, output: Buffer.from("mount: bad\nsuperblock\n") }));
  assert.throws(() => assembleRoot(failing, FIND), {
    code: "failed",
    message: "Cannot mount the physical root: mount ended with 32: mount: bad | superblock",
  });
});

test("assembleRoot() reads the image's configuration and leaves /sysroot out where the image has none", () => {
  const machine = goodMachine();
  machine.files.set("/usr/lib/sealroot/setup-root-conf.toml", "[var]\nmount = 'none'\n");
  machine.directories.delete("/sysroot/sysroot");
  assembleRoot(machine, FIND);
  assert.deepEqual(
    machine.log.filter((line) => line.includes("bind")),
    [`mount -n -o bind ${STATE}/etc /sysroot/etc`],
  );
});

test("assembleRoot() passes rootflags= on", () => {
  const machine = goodMachine(`composefs=${ID} root=UUID=u-1 rootflags=noatime`);
  assembleRoot(machine, FIND);
  assert.equal(machine.log[1], `mount -n -t ext4 -o rw,noatime /dev/vda2 ${PHYSICAL}`);
});
