import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { fileHasXattr, openBeneath, setXattr, temporaryDirectory } from "../../src/platform/index.ts";

test("a file below the directory is opened; links and ways out are not", () => {
  using directory = temporaryDirectory();
  const root = join(directory.path, "root");
  mkdirSync(join(root, "usr"), { recursive: true });
  const odd = Buffer.concat([Buffer.from("usr/"), Buffer.of(0xff)]);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), odd]), "odd");
  writeFileSync(join(directory.path, "outside"), "outside");
  symlinkSync("usr", join(root, "inner"));
  symlinkSync("../../outside", join(root, "usr", "link"));
  symlinkSync("/", join(root, "absolute"));
  execFileSync("mkfifo", [join(root, "pipe")]);
  const rootFd = openSync(root, "r");
  const content = (path: Buffer | string) => {
    const fd = openBeneath(rootFd, Buffer.from(path));
    try {
      return readFileSync(fd, "utf8");
    } finally {
      closeSync(fd);
    }
  };
  assert.equal(content(odd), "odd");
  assert.equal(content(Buffer.concat([Buffer.from("./usr/../"), odd])), "odd");
  const refusals: readonly (readonly [string, string])[] = [
    ["absent", "ENOENT"],
    ["usr/absent/x", "ENOENT"],
    ["usr/link", "ELOOP"],
    ["absolute/etc/passwd", "ELOOP"],
    ["inner/x", "ELOOP"],
    ["../outside", "EXDEV"],
    ["usr/../../outside", "EXDEV"],
    ["/etc/passwd", "EXDEV"],
    ["usr\0/x", "EINVAL"],
  ];
  for (const [path, code] of refusals) assert.throws(() => content(path), { code }, path);
  assert.equal(content("pipe"), "", "a pipe without a writer is not waited for");
  closeSync(rootFd);
});

test("an open file's attributes are found by their names", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "file");
  writeFileSync(path, "");
  setXattr(path, byteStringOfText("user.one"), Buffer.from("1"));
  const fd = openSync(path, "r");
  assert.equal(fileHasXattr(fd, byteStringOfText("user.one")), true);
  assert.equal(fileHasXattr(fd, byteStringOfText("user.two")), false);
  closeSync(fd);
  assert.throws(() => fileHasXattr(fd, byteStringOfText("user.one")), { code: "EBADF" });
});
