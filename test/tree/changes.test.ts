import assert from "node:assert/strict";
import { test } from "node:test";
import { displayText } from "../../src/bytes/index.ts";
import { cloneTree, type DirectoryNode, type FileNode, NO_XATTRS, treeChanges } from "../../src/tree/index.ts";
import { bytes, directory, file, symlink, whiteout } from "./build.ts";

function changes(before: DirectoryNode, after: DirectoryNode): string[] {
  const { added, removed, changed } = treeChanges(before, after);
  const lines = (mark: string, paths: typeof added) => paths.map((path) => `${mark}${displayText(path)}`);
  return [...lines("+", added), ...lines("-", removed), ...lines("~", changed)];
}

const external = (objectId: string, sizeBytes = 100): FileNode => ({
  ...file(),
  content: { type: "external", sizeBytes, objectId },
});

test("equal trees, times and further names apart", () => {
  const tree = directory({ a: file("a"), d: directory({ l: symlink("a") }), w: whiteout(), o: external("00") });
  const other = cloneTree(tree);
  for (const [, node] of other.entries) node.metadata.mtimeSeconds = 7n;
  other.metadata.mode = 0o700;
  assert.deepEqual(changes(tree, other), []);
  assert.deepEqual(changes(directory(), directory()), []);
});

test("everything that makes a file another one", () => {
  const before = directory({ f: file("a") });
  for (const after of [
    file("b"),
    file("ab"),
    symlink("a"),
    whiteout(),
    external("00", 1),
    file("a", { mode: 0o600 }),
    file("a", { uid: 1 }),
    file("a", { gid: 1 }),
    file("a", { xattrs: new Map([[bytes("user.a"), Buffer.from("1")]]) }),
  ]) {
    assert.deepEqual(changes(before, directory({ f: after })), ["~f"]);
    assert.deepEqual(changes(directory({ f: after }), before), ["~f"]);
  }
  assert.deepEqual(changes(directory({ o: external("00") }), directory({ o: external("01") })), ["~o"]);
  assert.deepEqual(changes(directory({ l: symlink("a") }), directory({ l: symlink("b") })), ["~l"]);
  const attribute = (value: string) =>
    directory({ f: file("", { xattrs: new Map([[bytes("a"), Buffer.from(value)]]) }) });
  assert.deepEqual(changes(attribute("1"), attribute("2")), ["~f"]);
});

test("links have no permission bits, whatever an archive says", () => {
  const odd = symlink("a");
  odd.metadata.mode = 0o600;
  odd.metadata.xattrs = NO_XATTRS;
  assert.deepEqual(changes(directory({ l: symlink("a") }), directory({ l: odd })), []);
});

test("directories that come, go, or become something else are told with what is in them, in the order of a walk", () => {
  const full = directory({ b: directory({ x: file(), y: directory() }), "a-": file(), a: file() });
  assert.deepEqual(changes(directory(), full), ["+a", "+a-", "+b", "+b/x", "+b/y"]);
  assert.deepEqual(changes(full, directory()), ["-a", "-a-", "-b", "-b/x", "-b/y"]);
  assert.deepEqual(changes(directory({ b: file() }), full), ["+a", "+a-", "+b/x", "+b/y", "~b"]);
  assert.deepEqual(changes(full, directory({ b: file() })), ["-a", "-a-", "-b/x", "-b/y", "~b"]);
});
