import assert from "node:assert/strict";
import { test } from "node:test";
import { hardLinkCounts, resolvePath, splitPath, walkTree } from "../../src/tree/index.ts";
import { bytes, directory, file, symlink } from "./build.ts";

const sh = file("sh");
const root = directory({
  bin: symlink("usr/bin"),
  usr: directory({
    bin: directory({ sh, dash: sh, up: symlink("../../usr/./bin/sh"), abs: symlink("/bin/up"), self: symlink("self") }),
    top: symlink("../../../.."),
    gone: symlink("/nope"),
  }),
});

function resolve(path: string, followLast = true): string | undefined {
  return resolvePath(root, bytes(path), { followLast })?.path;
}

test("resolvePath() follows links as the kernel does", () => {
  assert.equal(resolve("/bin/sh"), "/usr/bin/sh");
  assert.equal(resolve("bin//./sh"), "/usr/bin/sh");
  assert.equal(resolve("/bin/abs"), "/usr/bin/sh");
  assert.equal(resolve("/usr/top/usr/top"), "/");
  assert.equal(resolve("/../../bin"), "/usr/bin");
  assert.equal(resolve("/"), "/");
  assert.equal(resolvePath(root, bytes("/bin/abs"))?.node, sh);
});

test("resolvePath() leaves a link in the last place when told to", () => {
  assert.equal(resolve("/bin", false), "/bin");
  assert.equal(resolve("/bin/", false), "/usr/bin"); // as lstat does
  assert.equal(resolve("/bin/abs", false), "/usr/bin/abs");
});

test("resolvePath() gives undefined for what is not there", () => {
  assert.equal(resolve("/usr/gone"), undefined);
  assert.equal(resolve("/bin/sh/x"), undefined);
  assert.equal(resolve("/bin/sh/"), undefined);
  assert.equal(resolve("/bin/sh/.."), undefined);
  assert.equal(resolve("/lib/sh"), undefined);
});

test("resolvePath() refuses a loop of links", () => {
  assert.throws(() => resolve("/bin/self"), {
    code: "corrupt",
    message: 'Cannot resolve "/bin/self": more than 40 symbolic links',
  });
});

test("splitPath() drops empty and dot components and refuses the rest", () => {
  assert.deepEqual(splitPath(bytes("//./a/./b//")), ["a", "b"]);
  assert.deepEqual(splitPath(bytes("./")), []);
  assert.throws(() => splitPath(bytes("/usr/../etc")), { message: /: Invalid filename "\/usr\/\.\."$/ });
  assert.throws(() => splitPath(bytes(`/${"n".repeat(256)}`)), { message: /a name of 256 bytes is over 255$/ });
  assert.throws(() => splitPath(bytes("a/".repeat(2049))), { message: /2049 components/ });
});

test("walkTree() visits every name depth first in byte order", () => {
  assert.deepEqual(
    [...walkTree(directory({ b: file(), "a-": file(), a: directory({ z: file() }) }))].map((visit) => visit.path),
    ["/", "/a", "/a/z", "/a-", "/b"],
  );
});

test("hardLinkCounts() lists inodes of several names only", () => {
  assert.deepEqual([...hardLinkCounts(root)], [[sh, 2]]);
});
