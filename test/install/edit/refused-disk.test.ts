/** Disks that `install edit` refuses, what a kill leaves, and two at once. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { formatComposefsArgument } from "../../../src/bls/index.ts";
import { runTool, tryRecordLock } from "../../../src/platform/index.ts";
import { run } from "../../cli/run-verb.ts";
import type { ImageFile } from "../sealed-image.ts";
import {
  assertClean,
  copyOf,
  debugfs,
  digestOf,
  edit,
  folder,
  installed,
  refused,
  type TestDisk,
} from "./edited-disk.ts";

const MAIN = join(import.meta.dirname, "../../../src/cli/main.ts");

let disk: TestDisk;
let file: string;
before(async () => {
  disk = await installed("base");
  file = join(folder("sources"), "hostname");
  writeFileSync(file, "new\n");
});

test("a disk that somebody uses is refused, to read and to change", async () => {
  const fd = openSync(disk.path, "r+");
  try {
    assert.equal(tryRecordLock(fd, "exclusive"), true);
    assert.match(
      await refused("put", disk, "/etc/hostname", file),
      /Cannot edit the disk .*: it is locked by another program\n.*stop what uses it/s,
    );
    assert.match(await refused("list", disk, "/etc"), /Cannot read the disk .*: it is locked by another program/);
  } finally {
    closeSync(fd);
  }
  assert.equal(await edit("get", disk, "/etc/hostname"), "testos\n");
});

test("a system that was not shut down is refused: its journal would undo the change", async () => {
  for (const [name, request, reason] of [
    ["journal", "feature needs_recovery", /its journal has changes that are not in place yet/],
    ["mounted", "ssv state 0", /it was not unmounted/],
    ["errors", "ssv state 3", /the kernel has found errors in it/],
    ["orphans", "ssv last_orphan 12", /it has deleted files that are still to be cleared/],
  ] as const) {
    const own = copyOf(disk, name);
    await debugfs(own, request, "-w");
    const said = await refused("put", own, "/etc/hostname", file);
    assert.match(said, reason);
    assert.match(said, /boot the disk and shut it down, or run e2fsck/);
    assert.match(await refused("get", own, "/etc/hostname"), reason);
  }
});

test("a file system that had errors before is not blamed on us, and stays", async () => {
  const own = copyOf(disk, "broken");
  await debugfs(own, "setb 20000", "-w");
  const said = await refused("put", own, "/etc/hostname", file);
  assert.match(said, /Cannot edit the disk: it had errors before: .*e2fsck found: Block bitmap differences/);
});

test("what is no disk with an ext4 root is refused, with the way out where there is one", async () => {
  const directory = folder("foreign");
  const other = (name: string, offset: number, magic: string): TestDisk => {
    const own = copyOf(disk, `foreign-${name}`);
    const fd = openSync(own.path, "r+");
    writeSync(fd, Buffer.from(magic, "latin1"), 0, magic.length, own.rootBytes + offset);
    closeSync(fd);
    return own;
  };
  const wayOut = /its root is (\S+), not plain ext4\n.*sealroot install mount --sysroot DIR --latest TARGET/s;
  for (const [name, offset, magic] of [
    ["xfs", 0, "XFSB"],
    ["btrfs", 0x10040, "_BHRfS_M"],
    ["LUKS", 0, "LUKS\xba\xbe"],
  ] as const) {
    assert.equal(wayOut.exec(await refused("put", other(name, offset, magic), "/etc/x", file))?.[1], name);
  }
  const plain = { ...disk, path: join(directory, "plain") };
  writeFileSync(plain.path, "");
  truncateSync(plain.path, 1 << 20);
  assert.match(await refused("list", plain, "/etc"), /Cannot find a GUID partition table/);
  writeFileSync(plain.path, "QFI\xfb", "latin1");
  assert.match(await refused("list", plain, "/etc"), /it is a qcow2 image\n.*qemu-img convert -O raw/s);
  const is = async (path: string) => (await run("install", "edit", "list", path, "/etc")).err;
  assert.match(await is(directory), /it is not a disk file/);
  assert.match(await is(join(directory, "none")), /Cannot read the disk .*none: there is no such file/);
});

test("an /etc or /var that the running system does not take from the disk is refused with the reason", async () => {
  const configured = (toml: string): ImageFile[] => [
    { path: "usr/lib/composefs" },
    { path: "usr/lib/composefs/setup-root-conf.toml", content: toml },
  ];
  const transient = await installed("transient", configured("[etc]\ntransient = true\n[var]\nmount = 'none'\n"));
  assert.match(
    await refused("put", transient, "/etc/hostname", file),
    /Cannot use \/etc of this deployment: it is made anew from the image at every boot, changes would not be seen/,
  );
  assert.match(
    await refused("put", transient, "/var/x", file),
    /Cannot use \/var of this deployment: the image's own is mounted there/,
  );
  const overlay = await installed("overlay", configured("[etc]\nmount = 'overlay'\n"));
  assert.match(
    await refused("put", overlay, "/etc/hostname", file),
    /it is an overlay, .*\n.*as root, sealroot install mount shows and changes it/s,
  );
  assert.equal(await edit("put", overlay, "/var/x", file), "added     /var/x\n");
  const volatile = await installed("volatile", [], {
    commandLine: (id) => `${formatComposefsArgument(id)} rw systemd.volatile=state`,
  });
  assert.match(await refused("put", volatile, "/var/x", file), /Cannot use \/var of this deployment/);
  assert.equal(await edit("put", volatile, "/etc/hostname", file), "replaced  /etc/hostname\n");
});

/** Runs the program in a process of its own, which is killed when the step begins. */
function killedAt(step: string, own: TestDisk): Promise<void> {
  const words = ["install", "edit", "put", own.path, "/etc/hostname", file, "--progress", "json"];
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  return new Promise((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(`"step":"${step}"`) || text.includes(`"step": "${step}"`)) child.kill("SIGKILL");
    });
    child.once("close", (code, signal) =>
      signal === "SIGKILL" || code === 0 ? resolve() : reject(new Error(`${step}: ${code} ${text}`)),
    );
  });
}

test("killed at any step, the disk is the old or the new one, and the next run removes what is left", async () => {
  for (const step of ["read the disk", "copy the disk", "change the copy", "check the copy", "finish the disk"]) {
    const own = copyOf(disk, `killed-${step.replaceAll(" ", "-")}`);
    await killedAt(step, own);
    const content = await edit("get", own, "/etc/hostname");
    if (content === "testos\n") assert.equal(digestOf(own.path), digestOf(disk.path), step);
    else assert.equal(content, "new\n", step);
    await assertClean(own);
    assert.equal(await edit("put", own, "/etc/again", file), "added     /etc/again\n");
    assert.deepEqual(readdirSync(join(own.path, "..")), ["disk.img"], step);
  }
});

test("two at once: no change is lost; one of them may be told to wait", async () => {
  const own = copyOf(disk, "twice");
  const put = (name: string) => run("install", "edit", "put", own.path, `/etc/${name}`, file);
  const results = await Promise.all([put("one"), put("two")]);
  for (const [index, { exitCode, err }] of results.entries()) {
    const { exitCode: there } = await run("install", "edit", "get", own.path, `/etc/${index === 0 ? "one" : "two"}`);
    assert.equal(there, exitCode, err);
    if (exitCode !== 0) assert.match(err, /locked by another program|it has just been replaced/);
  }
  assert.ok(results.some(({ exitCode }) => exitCode === 0));
});

test("a link to a disk is followed, and stays", async () => {
  const own = copyOf(disk, "linked");
  const link = join(own.path, "../link.img");
  symlinkSync("disk.img", link);
  assert.equal(await edit("put", { ...own, path: link }, "/etc/hostname", file), "replaced  /etc/hostname\n");
  assert.equal(await edit("get", own, "/etc/hostname"), "new\n");
});

test("a disk of 100 GiB that is almost all holes stays so", async () => {
  const { reference } = await import("../sealed-image.ts").then(async ({ baseFiles, sealImage }) => {
    mkdirSync(folder("huge"), { recursive: true });
    return sealImage(folder("huge"), baseFiles());
  });
  const path = join(folder("huge"), "disk.img");
  const words = [
    "--size",
    "100G",
    "--source-imgref",
    reference,
    "--insecure-policy",
    "--target-imgref",
    "quay.io/x/y:z",
  ];
  assert.equal((await run("install", "to-disk", path, ...words)).exitCode, 0);
  const allocated = () => statSync(path).blocks * 512;
  const first = allocated();
  const own = { ...disk, path };
  assert.equal(await edit("put", own, "/etc/hostname", file), "replaced  /etc/hostname\n");
  assert.ok(allocated() < first + (4 << 20), `${allocated()} ${first}`);
  assert.equal(await edit("get", own, "/etc/hostname"), "new\n");
});

test(
  "what the kernel has written is read and changed, and the kernel mounts the result",
  { skip: process.geteuid?.() !== 0 && "not started as root" },
  async () => {
    const own = copyOf(disk, "kernel");
    const mountPoint = folder("mounted");
    const etc = `${mountPoint}/state/deploy/${own.deploymentId}/etc`;
    const mounted = async (script: string): Promise<string> => {
      const { stdout } = await runTool("unshare", [
        ...["--mount", "--propagation", "private", "sh", "-euc"],
        `mount -o "loop,offset=$1" "$2" "$3"; cd "$4"; ${script}`,
        ...["sh", String(own.rootBytes), own.path, mountPoint, etc],
      ]);
      return stdout.toString();
    };
    // More names than one block has, and more stretches than an inode.
    await mounted(`mkdir many; i=0; while [ $i -lt 2000 ]; do echo $i >many/a-long-file-name-$i; i=$((i + 1)); done
    i=0; while [ $i -lt 700 ]; do echo part | dd of=parts bs=8192 seek=$i conv=notrunc status=none; i=$((i + 1)); done`);
    const parts = Buffer.from(await edit("get", own, "/etc/parts"), "latin1");
    assert.equal(parts.length, 699 * 8192 + 5);
    for (let index = 0; index < 700; index++)
      assert.equal(parts.toString("latin1", index * 8192, index * 8192 + 5), "part\n");
    await edit("put", own, "/etc/many/new", file);
    await edit("put", own, "/etc/many/a-long-file-name-7", file);
    await edit("put", own, "/etc/parts", file);
    await edit("remove", own, "/etc/many/a-long-file-name-9");
    await assertClean(own);
    assert.equal(await mounted("ls many | wc -l; cat many/new many/a-long-file-name-7 parts"), "2000\nnew\nnew\nnew\n");
    await assertClean(own);
  },
);
