import assert from "node:assert/strict";
import { test } from "node:test";
import { assembleRoot } from "../../initramfs/assemble-root.ts";
import { CountedBoot } from "../../initramfs/counted-boot.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import { type FakeMachine, fakeMachine } from "./fake-system.ts";

const ID = "ab".repeat(64);
const PHYSICAL = "/run/sealroot/physical";
const IMAGE = `${PHYSICAL}/composefs/images/${ID}`;
const OBJECTS = `${PHYSICAL}/composefs/objects`;
/** Two of them. */
const OBJECT_IDS = Buffer.from("01".repeat(64) + "ef".repeat(64), "hex");
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
    "/sys/class/block/vda2/dev": "254:2\n",
    "/usr/lib/sealroot/objects": OBJECT_IDS,
    "link:/sys/class/block/vda2/..": "/sys/devices/pci/block/vda",
    [IMAGE]: "",
  });
  for (const path of [OBJECTS, STATE, `${STATE}/etc`, `${STATE}/var`, "/sysroot/sysroot"])
    machine.directories.add(path);
  machine.answers.set("blkid", () => ({ output: Buffer.from("TYPE=ext4\nUUID=u-1\n") }));
  machine.answers.set("measure", () => ({ output: MEASURED }));
  return machine;
}

const FIND = { newRoot: "/sysroot", rootIsMounted: false };

test("assembleRoot() finds the disk, measures the held image and mounts that very file", () => {
  const machine = goodMachine();
  assembleRoot(machine, FIND, CountedBoot.begin(machine));
  assert.deepEqual(machine.log, [
    "blkid -p -o export /dev/vda2",
    `mount -n -t ext4 -o rw /dev/vda2 ${PHYSICAL}`,
    "link /run/systemd/volatile-root -> /dev/block/254:2",
    "measure /proc/9/fd/3",
    "lookup /proc/9/fd/4 /usr/lib/sealroot/objects",
    "mount -n -c -t erofs -o ro /proc/9/fd/3 /run/sealroot/image",
    `mount -n -c -t overlay -o ro,metacopy=on,redirect_dir=on,verity=require,lowerdir=/run/sealroot/image::/proc/9/fd/4 composefs:${ID} /sysroot`,
    `mount -n -c -o bind,ro ${PHYSICAL} /sysroot/sysroot`,
    "mount -n -c -o bind /proc/9/fd/6 /sysroot/etc",
    "mount -n -c -o bind /proc/9/fd/7 /sysroot/var",
    "umount -n -l /run/sealroot/image",
    `umount -n -l ${PHYSICAL}`,
  ]);
  assert.deepEqual(machine.reports, [`information: the root is composefs:${ID}, fs-verity required`]);
});

test("assembleRoot() of an image whose mount takes a loop device gives it a name that nobody else can change", () => {
  const machine = goodMachine();
  machine.files.set("/usr/lib/sealroot/loop", "");
  assembleRoot(machine, FIND, CountedBoot.begin(machine));
  assert.deepEqual(machine.log.slice(5, 8), [
    "mount -n -c -o bind /proc/9/fd/3 /run/sealroot/image-file",
    "mount -n -c -t erofs -o ro /run/sealroot/image-file /run/sealroot/image",
    "umount -n -l /run/sealroot/image-file",
  ]);
  assert.equal(machine.files.get("/run/sealroot/image-file")?.length, 0);
});

test("assembleRoot() names the partition below an encrypted root, not the mapped device", () => {
  const machine = goodMachine();
  const files = {
    "/proc/self/mountinfo": `30 1 252:0 / ${PHYSICAL} rw - ext4 /dev/mapper/root rw\n`,
    "link:/sys/dev/block/252:0": "/sys/devices/virtual/block/dm-0",
    "/sys/class/block/dm-0/dev": "252:0\n",
    "/sys/class/block/dm-0/slaves/vda2/dev": "254:2\n",
  };
  for (const [path, content] of Object.entries(files)) machine.files.set(path, content);
  assembleRoot(machine, { newRoot: "/root", rootIsMounted: true }, CountedBoot.begin(machine));
  const links = machine.log.filter((line) => line.startsWith("link "));
  assert.deepEqual(links, ["link /run/systemd/volatile-root -> /dev/block/254:2"]);
});

test("assembleRoot() in another initramfs takes a private view of the mounted root and asks no disk", () => {
  const machine = goodMachine();
  machine.directories.add("/usr/lib/sealroot/lib");
  assembleRoot(machine, { newRoot: "/root", rootIsMounted: true }, CountedBoot.begin(machine));
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
  assert.throws(() => assembleRoot(machine, FIND, CountedBoot.begin(machine)), {
    code: "untrusted",
    data: {
      path: `/composefs/images/${ID} on the physical root`,
      expected: `sha512:${ID}`,
      actual: `sha512:${ID.slice(0, 126)}00`,
    },
  });
  assert.equal(machine.log.filter((line) => line.includes("erofs") || line.includes("overlay")).length, 0);
});

test("assembleRoot() refuses an image without fs-verity, unless the command line has the question mark", () => {
  const strict = goodMachine();
  strict.answers.set("measure", () => ({ status: 61 }));
  assert.throws(() => assembleRoot(strict, FIND, CountedBoot.begin(strict)), {
    code: "untrusted",
    message: /fs-verity does not vouch/,
  });
  const optional = goodMachine(`composefs=?${ID} root=/dev/vda2`);
  optional.answers.set("measure", () => ({ status: 61 }));
  assembleRoot(optional, FIND, CountedBoot.begin(optional));
  assert.ok(!optional.log.some((line) => line.includes("verity=require")));
  assert.match(optional.reports[0] ?? "", /WITHOUT fs-verity/);
});

test("assembleRoot() of an unsealed initramfs goes by the command line, looks for no objects, and says so", () => {
  const machine = goodMachine();
  machine.files.set("/usr/lib/sealroot/permit", "unsealed\n");
  machine.files.delete("/usr/lib/sealroot/objects");
  assembleRoot(machine, FIND, CountedBoot.begin(machine));
  assert.ok(machine.log.some((line) => line.includes("verity=require")));
  assert.ok(!machine.log.some((line) => line.includes("lookup")));
  assert.deepEqual(machine.reports, [`information: the root is composefs:${ID}, fs-verity required, NOT SEALED`]);
});

test("assembleRoot() says what is missing: image, state, tool", () => {
  const withoutImage = goodMachine();
  withoutImage.files.delete(IMAGE);
  assert.throws(() => assembleRoot(withoutImage, FIND, CountedBoot.begin(withoutImage)), {
    code: "not-found",
    message: /not in the repository/,
  });
  const withoutState = goodMachine();
  withoutState.directories.delete(STATE);
  assert.throws(() => assembleRoot(withoutState, FIND, CountedBoot.begin(withoutState)), {
    code: "not-found",
    message: "Cannot find the state of this deployment: there is no such directory",
    data: { path: `/state/deploy/${ID} on the physical root` },
  });
  const failing = goodMachine();
  failing.answers.set("mount", () => ({ status: 32, output: Buffer.from("mount: bad\nsuperblock\n") }));
  assert.throws(() => assembleRoot(failing, FIND, CountedBoot.begin(failing)), {
    code: "failed",
    message: "Cannot mount the physical root: mount ended with 32: mount: bad | superblock",
  });
});

test("assembleRoot() reads the image's configuration and leaves /sysroot out where the image has none", () => {
  const machine = goodMachine();
  machine.files.set("/usr/lib/sealroot/setup-root-conf.toml", "[var]\nmount = 'none'\n");
  machine.directories.delete("/sysroot/sysroot");
  assembleRoot(machine, FIND, CountedBoot.begin(machine));
  assert.deepEqual(
    machine.log.filter((line) => line.includes("bind")),
    ["mount -n -c -o bind /proc/9/fd/6 /sysroot/etc"],
  );
});

test("assembleRoot() passes rootflags= on", () => {
  const machine = goodMachine(`composefs=${ID} root=UUID=u-1 rootflags=noatime`);
  assembleRoot(machine, FIND, CountedBoot.begin(machine));
  assert.equal(machine.log[1], `mount -n -t ext4 -o rw,noatime /dev/vda2 ${PHYSICAL}`);
});

test("assembleRoot() keeps overlays in directories that it holds", () => {
  const machine = goodMachine();
  machine.files.set("/usr/lib/sealroot/setup-root-conf.toml", "[etc]\nmount = 'overlay'\n[var]\nmount = 'none'\n");
  for (const name of ["upper", "work"]) machine.directories.add(`${STATE}/etc/${name}`);
  assembleRoot(machine, FIND, CountedBoot.begin(machine));
  assert.deepEqual(
    machine.log.filter((line) => /mkdir|upperdir/.test(line)),
    [
      "mkdir /proc/9/fd/6/upper 755",
      "mkdir /proc/9/fd/6/work 700",
      "mount -n -c -t overlay -o rw,lowerdir=/sysroot/etc,upperdir=/proc/9/fd/7,workdir=/proc/9/fd/8 overlay /sysroot/etc",
    ],
  );
});

test("assembleRoot() refuses every link that leads out of the physical root, and to the physical root itself", () => {
  const overlay = "[etc]\nmount = 'overlay'\n[var]\nmount = 'overlay'\n";
  for (const [path, action, configuration] of [
    [IMAGE, "open the root image", ""],
    [OBJECTS, "find the objects", ""],
    [STATE, "find the state of this deployment", ""],
    [`${STATE}/etc`, "find the state of /etc", ""],
    [`${STATE}/var`, "find the state of /var", ""],
    [`${STATE}/etc/upper`, "find the changes of /etc", overlay],
    [`${STATE}/etc/work`, "find the work directory of /etc", overlay],
  ] as const) {
    for (const target of ["/", "/usr/lib/sealroot", PHYSICAL, `${PHYSICAL}-other/x`, "/sysroot/state"]) {
      const machine = goodMachine();
      machine.files.set("/usr/lib/sealroot/setup-root-conf.toml", configuration);
      for (const name of ["upper", "work"]) machine.directories.add(`${STATE}/etc/${name}`);
      machine.directories.add(target);
      machine.files.set(`link:${path}`, target);
      assert.throws(() => assembleRoot(machine, FIND, CountedBoot.begin(machine)), {
        code: "untrusted",
        message: `Cannot ${action}: a link leads out of the physical root`,
        data: { path: `${path.slice(PHYSICAL.length)} on the physical root`, actual: target },
      });
      assert.ok(!machine.log.some((line) => /erofs|overlay|bind/.test(line)), path);
    }
  }
});

test("assembleRoot() follows links inside the physical root, and refuses a file where a directory belongs", () => {
  const machine = goodMachine();
  const shared = `${PHYSICAL}/state/os/default/var`;
  machine.directories.add(shared);
  machine.files.set(`link:${STATE}/var`, shared);
  assembleRoot(machine, FIND, CountedBoot.begin(machine));
  machine.directories.delete(shared);
  machine.files.set(shared, "");
  assert.throws(() => assembleRoot(machine, FIND, CountedBoot.begin(machine)), {
    code: "corrupt",
    message: "Cannot find the state of /var: it is not a directory",
  });
});

test("assembleRoot() mounts nothing when an object is missing, and names the first three", () => {
  const machine = goodMachine();
  const names = Array.from({ length: 5 }, (_, index) => Buffer.alloc(64, index + 1));
  const hex = (byte: string) => `/composefs/objects/${byte}/${byte.repeat(63)}`;
  for (const [missing, message, actual] of [
    [1, "1 of its 2 objects is missing", undefined],
    [2, "2 of its 2 objects are missing", `also missing: ${hex("02")}`],
    [5, "5 of its 2 objects are missing", `also missing: ${hex("02")}, ${hex("03")}, …`],
  ] as const) {
    machine.answers.set("lookup", () => ({ output: Buffer.concat(names.slice(0, missing)) }));
    assert.throws(
      () => assembleRoot(machine, FIND, CountedBoot.begin(machine)),
      (error: SealrootError) => {
        assert.equal(error.code, "untrusted");
        assert.equal(error.message, `Cannot use the root image: ${message}`);
        assert.deepEqual([error.data.path, error.data.actual], [`${hex("01")} on the physical root`, actual]);
        return true;
      },
    );
  }
  assert.ok(!machine.log.some((line) => /erofs|overlay|bind/.test(line)));
});

test("assembleRoot() skips the search only when the sealed configuration says so", () => {
  const machine = goodMachine();
  machine.answers.set("lookup", () => ({ status: 2 }));
  assert.throws(() => assembleRoot(machine, FIND, CountedBoot.begin(machine)), {
    code: "failed",
    message: "Cannot look for the objects of the root image: error 2",
    data: { hint: "seal the image again" },
  });
  machine.files.set("/usr/lib/sealroot/setup-root-conf.toml", "check-objects = false\n");
  assembleRoot(machine, FIND, CountedBoot.begin(machine));
  assert.equal(machine.reports.length, 1);
});

test("assembleRoot() refuses in the end when a copy of the root has appeared, in both kinds of initramfs", () => {
  for (const rootIsMounted of [false, true]) {
    const machine = goodMachine();
    let mounts = 0;
    machine.answers.set("mount", () => {
      if (++mounts === 2) machine.files.set("/sys/class/block/vdb2/partition", "2\n");
      return {};
    });
    assert.throws(() => assembleRoot(machine, { ...FIND, rootIsMounted }, CountedBoot.begin(machine)), {
      code: "conflict",
      message: "Cannot find the root device: 2 devices fit",
    });
    assert.deepEqual(machine.reports, []);
  }
});
