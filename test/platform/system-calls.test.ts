import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import {
  cloneBlocks,
  createMount,
  enableVerity,
  getXattr,
  isVerityUnsupported,
  linkOpenFile,
  listXattrs,
  makeDirectory,
  makeNode,
  measureVerity,
  openUnnamedFile,
  readXattrs,
  removeXattr,
  renameExchange,
  renameNoReplace,
  reopenForReading,
  setModificationTime,
  setXattr,
  syncDirectory,
  syncFileSystem,
  temporaryDirectory,
  tryLock,
  unlock,
  waitForLock,
  writeFileAtomically,
} from "../../src/platform/index.ts";

test("an unnamed file gets its name when it is complete, and never over another", () => {
  using directory = temporaryDirectory();
  const fd = openUnnamedFile(directory.path, 0o644);
  assert.ok(fd !== undefined, "the temporary directory's file system has no O_TMPFILE");
  writeSync(fd, "content");
  assert.deepEqual(readdirSync(directory.path), []);
  const readOnly = reopenForReading(fd);
  closeSync(fd);
  const path = join(directory.path, "name");
  linkOpenFile(readOnly, path);
  assert.throws(() => linkOpenFile(readOnly, path), { code: "EEXIST", syscall: "linkat" });
  closeSync(readOnly);
  assert.equal(readFileSync(path, "utf8"), "content");
});

test("renameNoReplace() keeps an existing target and renameExchange() swaps two names", () => {
  using directory = temporaryDirectory();
  const first = join(directory.path, "first");
  const second = join(directory.path, "second");
  writeFileSync(first, "1");
  writeFileSync(second, "2");
  assert.throws(() => renameNoReplace(first, second), { code: "EEXIST" });
  renameExchange(first, second);
  assert.equal(readFileSync(first, "utf8") + readFileSync(second, "utf8"), "21");
  renameNoReplace(first, join(directory.path, "third"));
  assert.deepEqual(readdirSync(directory.path).sort(), ["second", "third"]);
});

test("shared locks coexist, an exclusive one waits for them", async () => {
  using directory = temporaryDirectory();
  const [one, two] = [openSync(directory.path, "r"), openSync(directory.path, "r")];
  assert.ok(tryLock(one, "shared"));
  assert.ok(tryLock(two, "shared"));
  assert.equal(await waitForLock(two, "exclusive", 20), false);
  setTimeout(() => unlock(one), 20);
  assert.equal(await waitForLock(two, "exclusive", 5000), true);
  assert.equal(tryLock(one, "shared"), false);
  closeSync(two);
  assert.ok(tryLock(one, "shared"));
  closeSync(one);
});

test("xattrs are read from the link itself and their names and values are bytes", () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "file");
  const name = byteStringOfText("user.tëst");
  writeFileSync(file, "");
  assert.deepEqual(listXattrs(file), []);
  setXattr(file, name, Buffer.from([0, 255, 1]));
  setXattr(file, byteStringOfText("user.empty"), new Uint8Array(0));
  assert.deepEqual(getXattr(file, name), Uint8Array.from([0, 255, 1]));
  assert.deepEqual(
    new Map([...readXattrs(file)].sort()),
    new Map([
      [byteStringOfText("user.empty"), new Uint8Array(0)],
      [name, Uint8Array.from([0, 255, 1])],
    ]),
  );
  removeXattr(file, name);
  assert.equal(getXattr(file, name), undefined);
  symlinkSync("file", join(directory.path, "link"));
  assert.deepEqual(listXattrs(join(directory.path, "link")), []);
});

test("a path that is not UTF-8 works as bytes", () => {
  using directory = temporaryDirectory();
  const path = Buffer.concat([Buffer.from(`${directory.path}/`), Buffer.from([0xff, 0xfe])]);
  writeFileSync(path, "");
  setXattr(path, byteStringOfText("user.a"), Buffer.from("b"));
  assert.deepEqual(listXattrs(path), ["user.a"]);
  assert.throws(() => listXattrs(`${directory.path}\0x`), { code: "EINVAL" });
});

test("verity ioctls answer with a state, or with a refusal that is recognised, on any file system", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "file");
  writeFileSync(path, "x".repeat(5000));
  const fd = openSync(path, "r");
  try {
    const { state } = measureVerity(fd);
    assert.ok(state === "disabled" || state === "unsupported");
    if (state === "unsupported") assert.throws(() => enableVerity(fd, 1), isVerityUnsupported);
  } finally {
    closeSync(fd);
  }
});

test("cloneBlocks() says no where blocks cannot be shared, and shares them where they can", () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "source"), "x".repeat(8192));
  const source = openSync(join(directory.path, "source"), "r");
  const target = openSync(join(directory.path, "target"), "w");
  const cloned = cloneBlocks(source, target);
  closeSync(source);
  closeSync(target);
  assert.equal(statSync(join(directory.path, "target")).size, cloned ? 8192 : 0);
});

test("files are written atomically with the exact mode", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "file");
  const umask = process.umask(0o077);
  try {
    writeFileAtomically(path, "one", { mode: 0o644 });
    assert.equal(statSync(path).mode & 0o7777, 0o644);
    assert.throws(() => writeFileAtomically(path, "two", { replace: false }), { code: "EEXIST" });
    assert.equal(readFileSync(path, "utf8"), "one");
    writeFileAtomically(path, "three");
    assert.equal(readFileSync(path, "utf8"), "three");
    assert.deepEqual(readdirSync(directory.path), ["file"]);
    assert.ok(makeDirectory(join(directory.path, "sub"), 0o755));
    assert.equal(statSync(join(directory.path, "sub")).mode & 0o7777, 0o755);
    assert.equal(makeDirectory(join(directory.path, "sub"), 0o700), false);
  } finally {
    process.umask(umask);
  }
});

test("syncing a directory and its file system works", () => {
  using directory = temporaryDirectory();
  syncDirectory(directory.path);
  const fd = openSync(directory.path, "r");
  syncFileSystem(fd);
  closeSync(fd);
});

test("a temporary directory is gone after its scope", () => {
  let path: string;
  {
    using directory = temporaryDirectory({ purpose: "test" });
    path = directory.path;
    mkdirSync(join(path, "a"));
    writeFileSync(join(path, "a", "b"), "");
    assert.equal(statSync(path).mode & 0o7777, 0o700);
  }
  assert.equal(existsSync(path), false);
});

test("makeNode() makes a pipe and setModificationTime() dates a link itself, to the nanosecond and before 1970", () => {
  using directory = temporaryDirectory();
  const pipe = join(directory.path, "pipe");
  makeNode(pipe, 0o010_600, 0);
  assert.ok(lstatSync(pipe).isFIFO());
  assert.throws(() => makeNode(pipe, 0o010_600, 0), { code: "EEXIST" });
  const link = join(directory.path, "link");
  symlinkSync("pipe", link);
  setModificationTime(link, -2n, 123_456_789);
  assert.equal(lstatSync(link, { bigint: true }).mtimeNs, -2_000_000_000n + 123_456_789n);
  assert.notEqual(lstatSync(pipe, { bigint: true }).mtimeNs, lstatSync(link, { bigint: true }).mtimeNs);
});

test("createMount() of a file system that does not exist names the call that failed", () => {
  assert.throws(() => createMount("no-such-file-system", { options: [], readOnly: true }), {
    message: /^(ENODEV|EPERM): fsopen failed$/,
  });
});
