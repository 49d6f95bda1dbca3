import assert from "node:assert/strict";
import { test } from "node:test";
import type { byteStringOfText } from "../../src/bytes/index.ts";
import {
  directoriesAt,
  hasDirectoryAt,
  hasFileAt,
  leavesBelow,
  namesAt,
  newDirectory,
  newMetadata,
  requirePlainFile,
  type TreeNode,
} from "../../src/tree/index.ts";
import { TreeFiles } from "../../src/tree/tree-files.ts";
import { failsWith } from "../pe/keys.ts";
import { treeOf } from "./tree-of.ts";

const image = treeOf({
  "/etc/file": "text",
  "/etc/pipe": { kind: "fifo", metadata: newMetadata() },
  "/etc/to-file": { link: "file" },
  "/etc/to-directory": { link: "/usr/lib" },
  "/etc/dangling": { link: "../nowhere" },
  "/etc/loop": { link: "loop" },
  "/usr/lib/a/x.efi": "a",
  "/usr/lib/b/": undefined,
  "/usr/lib/link": { link: "a" },
  "/lib": { link: "usr/lib" },
});

test("hasFileAt() and namesAt() tell absence from something else in the place", () => {
  for (const [path, isFile] of [
    ["/etc/file", true],
    ["/etc/to-file", true],
    ["/etc/none", false],
    ["/none/at/all", false],
    ["/lib/a/x.efi", true],
    ["/etc/to-directory/none", false],
  ] as const) {
    assert.equal(hasFileAt(image, path), isFile, path);
  }
  assert.deepEqual(namesAt(image, "/usr/lib"), ["a", "b", "link"]);
  assert.deepEqual(namesAt(image, "/etc/to-directory"), ["a", "b", "link"]);
  assert.deepEqual(namesAt(image, "/usr/none"), []);
  assert.equal(hasDirectoryAt(image, "/lib/b"), true);
  assert.equal(hasDirectoryAt(image, "/lib/c"), false);
});

test("something else in the place, or on the way, is named", () => {
  const cases: readonly (readonly [() => unknown, string])[] = [
    [() => hasFileAt(image, "/etc"), "Cannot use /etc in the image: it is a directory, not a file"],
    [() => hasFileAt(image, "/etc/pipe"), "Cannot use /etc/pipe in the image: it is a pipe, not a file"],
    [
      () => hasFileAt(image, "/etc/to-directory"),
      "Cannot use /etc/to-directory in the image: it is a directory, not a file",
    ],
    [
      () => hasFileAt(image, "/etc/dangling"),
      "Cannot use /etc/dangling in the image: it is a symbolic link to nothing",
    ],
    [() => namesAt(image, "/etc/file"), "Cannot use /etc/file in the image: it is a file, not a directory"],
    [() => namesAt(image, "/etc/to-file"), "Cannot use /etc/to-file in the image: it is a file, not a directory"],
    [() => namesAt(image, "/etc/dangling"), "Cannot use /etc/dangling in the image: it is a symbolic link to nothing"],
    [
      () => namesAt(image, "/etc/file/deeper/still"),
      "Cannot use /etc/file in the image: it is a file, not a directory",
    ],
    [() => hasFileAt(image, "/etc/loop"), "Cannot use /etc/loop in the image: it is a symbolic link to nothing"],
    [
      () => hasFileAt(image, "/etc/dangling/x"),
      "Cannot use /etc/dangling in the image: it is a symbolic link to nothing",
    ],
    [
      () => requirePlainFile(image, "/etc/to-file"),
      "Cannot use /etc/to-file in the image: it is a symbolic link, not a file",
    ],
    [
      () => requirePlainFile(image, "/etc/dangling"),
      "Cannot use /etc/dangling in the image: it is a symbolic link to nothing",
    ],
  ];
  for (const [action, message] of cases) {
    assert.throws(action, { code: "unsupported", message });
  }
  requirePlainFile(image, "/etc/file");
});

test("directoriesAt() and leavesBelow() do not follow links", () => {
  assert.deepEqual(directoriesAt(image, "/usr/lib"), ["/usr/lib/a", "/usr/lib/b"]);
  assert.deepEqual(directoriesAt(image, "/lib"), ["/usr/lib/a", "/usr/lib/b"]);
  assert.deepEqual(directoriesAt(image, "/none"), []);
  assert.deepEqual(leavesBelow(image, "/usr"), ["/usr/lib/a/x.efi", "/usr/lib/link"]);
  assert.deepEqual(leavesBelow(image, "/"), [
    ...["/etc/dangling", "/etc/file", "/etc/loop", "/etc/pipe", "/etc/to-directory", "/etc/to-file"],
    ...["/lib", "/usr/lib/a/x.efi", "/usr/lib/link"],
  ]);
});

test("a name that is not UTF-8 is said to be one", () => {
  const root = newDirectory();
  const file: TreeNode = {
    kind: "file",
    metadata: newMetadata(),
    content: { type: "inline", bytes: Buffer.from("x") },
  };
  root.entries.set("\xff.efi" as ReturnType<typeof byteStringOfText>, file);
  const files = new TreeFiles(root, () => new Uint8Array());
  const [path = ""] = leavesBelow(files, "/");
  assert.throws(() => requirePlainFile(files, path), failsWith("unsupported", /its name is not UTF-8$/));
});
