/** What is in the place of a new disk file: refused before any work, or its attributes kept. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ByteString } from "../../src/bytes/index.ts";
import { useOfFile } from "../../src/install/file-in-use.ts";
import { beginDisk, checkTarget } from "../../src/install/open-target.ts";
import { getXattr, setXattr, tryLock, tryRecordLock } from "../../src/platform/index.ts";
import { run } from "../cli/run-verb.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-target-"));
const at = (name: string) => join(scratch, name);
after(() => rmSync(scratch, { recursive: true, force: true }));

const SIZE_BYTES = 1 << 20;
const isRoot = process.geteuid?.() === 0;
const needsRoot = isRoot ? false : "not started as root";

function folder(name: string): (file: string) => string {
  mkdirSync(at(name));
  return (file) => at(join(name, file));
}

/** Goes the whole way of an installation but for the content. */
async function replace(target: string): Promise<string> {
  const checked = await checkTarget({ target, wipe: true, sizeBytes: SIZE_BYTES });
  using disk = await beginDisk(checked);
  writeFileSync(join(disk.disk.directory, disk.disk.path), "new disk", { flag: "r+" });
  await disk.publish();
  return checked.path;
}

const refusal = (target: string) => checkTarget({ target, wipe: true, sizeBytes: SIZE_BYTES });

test("a replaced file hands on mode, owner and access list", async () => {
  const path = folder("kept")("disk.img");
  writeFileSync(path, "old");
  chmodSync(path, 0o640);
  if (isRoot) chownSync(path, 1234, 4321);
  // acl(5) as linux/posix_acl_xattr.h has it: version 2, then tag, permissions and id of each entry.
  const entries = [
    [1, 6, 0xffffffff],
    [2, 4, 42],
    [4, 4, 0xffffffff],
    [16, 4, 0xffffffff],
    [32, 0, 0xffffffff],
  ] as const;
  const acl = Buffer.alloc(4 + 8 * entries.length);
  acl.writeUInt32LE(2);
  entries.forEach(([tag, permissions, id], index) => {
    acl.writeUInt16LE(tag, 4 + 8 * index);
    acl.writeUInt16LE(permissions, 6 + 8 * index);
    acl.writeUInt32LE(id, 8 + 8 * index);
  });
  const name = "system.posix_acl_access" as ByteString;
  setXattr(path, name, acl);
  const before = statSync(path);
  assert.equal(await replace(path), path);
  const { mode, uid, gid, ino, size } = statSync(path);
  assert.deepEqual({ mode, uid, gid, size }, { mode: before.mode, uid: before.uid, gid: before.gid, size: SIZE_BYTES });
  assert.notEqual(ino, before.ino);
  assert.deepEqual(Buffer.from(getXattr(path, name) ?? []), acl);
  assert.equal(readFileSync(path, "latin1").slice(0, 8), "new disk");
  assert.deepEqual(readdirSync(at("kept")), ["disk.img"]);
});

test("of a symbolic link its target is replaced, in the target's directory; the link stays", async () => {
  const inside = folder("linked");
  mkdirSync(inside("real"));
  writeFileSync(inside("real/disk.img"), "old");
  chmodSync(inside("real/disk.img"), 0o604);
  symlinkSync("real/disk.img", inside("first"));
  symlinkSync("first", inside("second"));
  assert.equal(await replace(inside("second")), inside("real/disk.img"));
  assert.deepEqual([readlinkSync(inside("first")), readlinkSync(inside("second"))], ["real/disk.img", "first"]);
  assert.equal(statSync(inside("real/disk.img")).size, SIZE_BYTES);
  assert.equal(lstatSync(inside("real/disk.img")).mode & 0o7777, 0o604);
  assert.deepEqual(readdirSync(at("linked")).sort(), ["first", "real", "second"]);
});

test("a new file below a symbolic link to a directory is made there", async () => {
  const inside = folder("below");
  mkdirSync(inside("real"));
  symlinkSync("real", inside("link"));
  assert.equal(await replace(inside("link/disk.img")), inside("real/disk.img"));
});

test("a link to nothing, and links in a circle, are refused", async () => {
  const inside = folder("dangling");
  symlinkSync("nowhere/disk.img", inside("link"));
  symlinkSync("circle", inside("circle"));
  await assert.rejects(refusal(inside("link")), {
    code: "not-found",
    message: `Cannot install to ${inside("link")}: it is a symbolic link to nowhere/disk.img, which does not exist`,
  });
  await assert.rejects(refusal(inside("circle")), { message: /^Cannot install to .*circle: ELOOP/ });
  assert.deepEqual(readdirSync(at("dangling")).sort(), ["circle", "link"]);
});

test("what is not a plain file is refused and named", async () => {
  const inside = folder("kinds");
  mkdirSync(inside("directory"));
  execFileSync("mkfifo", [inside("pipe")]);
  const server = createServer().listen(inside("socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  symlinkSync("/dev/null", inside("null"));
  const kinds = [
    ["directory", "a directory"],
    ["pipe", "a pipe"],
    ["socket", "a socket"],
    ["null", "a character device"],
  ] as const;
  for (const [name, actual] of kinds) {
    await assert.rejects(refusal(inside(name)), (error: Error & { code?: string; data?: { actual?: string } }) => {
      assert.equal(error.message, `Cannot install to ${inside(name)}: it is not a plain file`);
      assert.deepEqual({ code: error.code, actual: error.data?.actual }, { code: "unsupported", actual });
      return true;
    });
  }
  server.close();
});

test("a name without directory, and one whose directory is a file, are refused", async () => {
  const inside = folder("parents");
  writeFileSync(inside("file"), "");
  await assert.rejects(refusal(inside("absent/disk.img")), {
    code: "not-found",
    message: `Cannot install to ${inside("absent/disk.img")}: its directory does not exist`,
  });
  await assert.rejects(refusal(inside("file/disk.img")), { code: "not-found" });
});

test("a file with other names is replaced under this one only, with a word", async () => {
  const inside = folder("hard");
  writeFileSync(inside("disk.img"), "old");
  linkSync(inside("disk.img"), inside("backup.img"));
  const { warnings } = await refusal(inside("disk.img"));
  assert.deepEqual(warnings, [`${inside("disk.img")} has 2 names (hard links): only this one gets the new disk`]);
  await replace(inside("disk.img"));
  assert.equal(readFileSync(inside("backup.img"), "utf8"), "old");
});

test("a file that a program has locked, or a loop device uses, is refused", async () => {
  const inside = folder("used");
  writeFileSync(inside("disk.img"), "old");
  for (const lock of [tryRecordLock, tryLock]) {
    for (const mode of ["shared", "exclusive"] as const) {
      const fd = openSync(inside("disk.img"), "r+");
      assert.ok(lock(fd, mode));
      await assert.rejects(refusal(inside("disk.img")), {
        code: "conflict",
        message: `Cannot install to ${inside("disk.img")}: it is locked by another program`,
      });
      closeSync(fd);
    }
  }
  await refusal(inside("disk.img"));
  mkdirSync(inside("sys/block/loop7/loop"), { recursive: true });
  mkdirSync(inside("sys/block/sda"), { recursive: true });
  linkSync(inside("disk.img"), inside("other name"));
  writeFileSync(inside("sys/block/loop7/loop/backing_file"), `${inside("other name")}\n`);
  assert.equal(useOfFile(inside("disk.img"), statSync(inside("disk.img")), inside("sys")), "used by /dev/loop7");
  writeFileSync(inside("sys/block/loop7/loop/backing_file"), `${inside("gone")} (deleted)\n`);
  assert.equal(useOfFile(inside("disk.img"), statSync(inside("disk.img")), inside("sys")), undefined);
});

test("a file that is mounted over its name is refused", { skip: needsRoot }, async () => {
  const inside = folder("mounted here");
  writeFileSync(inside("disk.img"), "below");
  writeFileSync(inside("bound"), "above");
  execFileSync("mount", ["--bind", inside("bound"), inside("disk.img")]);
  try {
    await assert.rejects(refusal(inside("disk.img")), {
      code: "conflict",
      message: `Cannot install to ${inside("disk.img")}: it is a mount point`,
    });
  } finally {
    execFileSync("umount", [inside("disk.img")]);
  }
});

test("a file that its user protected, or that is another user's, is refused", { skip: needsRoot }, () => {
  const inside = folder("protected");
  chmodSync(scratch, 0o755);
  chownSync(at("protected"), 65534, 65534);
  writeFileSync(inside("mine"), "");
  chownSync(inside("mine"), 65534, 65534);
  chmodSync(inside("mine"), 0o444);
  writeFileSync(inside("open"), "");
  chmodSync(inside("open"), 0o666);
  const script = `
    const { checkTarget } = await import(${JSON.stringify(new URL("../../src/install/open-target.ts", import.meta.url).href)});
    for (const name of ["mine", "open"]) {
      const target = ${JSON.stringify(at("protected"))} + "/" + name;
      const said = await checkTarget({ target, wipe: true, sizeBytes: 1 << 20 }).then(() => "taken", (e) => e.code + " " + e.message);
      console.log(said.replace(target, "X"));
    }`;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    uid: 65534,
    gid: 65534,
    encoding: "utf8",
  });
  assert.match(
    said,
    /^no-access Cannot install to X: EACCES: .*\nno-access Cannot install to X: it belongs to another user \(uid 0\)\n$/,
  );
});

test("a dangling link is refused before the image is looked at", async () => {
  const inside = folder("early");
  symlinkSync("nowhere", inside("link"));
  const words = ["install", "to-disk", inside("link"), "--source-imgref", `oci:${inside("absent")}`, "--wipe"];
  const { exitCode, err } = await run(...words, "--size", "1G");
  assert.equal(exitCode, 1);
  assert.match(err, /it is a symbolic link to nowhere, which does not exist/);
  assert.ok(!existsSync(inside("nowhere")));
});
