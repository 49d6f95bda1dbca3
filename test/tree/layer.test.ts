import assert from "node:assert/strict";
import { test } from "node:test";
import { applyLayerEntry, lookupPath, newDirectory, type TreeNode } from "../../src/tree/index.ts";
import { bytes, directory, file, names, symlink, whiteout } from "./build.ts";

type Entry = readonly [path: string, node: TreeNode | string];

/** A merge of entries; a string in place of a node is a hard link's target. */
function merge(...entries: Entry[]) {
  const root = newDirectory();
  for (const [path, node] of entries) {
    applyLayerEntry(
      root,
      typeof node === "string"
        ? { type: "hardlink", path: bytes(path), target: bytes(node) }
        : { type: "inode", path: bytes(path), node },
    );
  }
  return root;
}

test("applyLayerEntry() reads all spellings of a path alike", () => {
  const root = merge(["./", directory({}, { uid: 7 })], ["./usr/", directory()], ["//usr/./a/", file("x")]);
  assert.deepEqual(names(root), ["d /usr", "f /usr/a"]);
  assert.equal(root.metadata.uid, 7);
});

test("applyLayerEntry() keeps a directory's entries under newer metadata and replaces everything else", () => {
  const root = merge(
    ["d", directory({}, { mode: 0o700 })],
    ["d/x", file()],
    ["d", directory({}, { mode: 0o711 })],
    ["e", directory()],
    ["e/y", file()],
    ["e", file()],
    ["f", file()],
    ["f", directory()],
  );
  assert.deepEqual(names(root), ["d /d", "f /d/x", "f /e", "d /f"]);
  assert.equal(lookupPath(root, bytes("/d"))?.metadata.mode, 0o711);
});

test("applyLayerEntry() links to the inode that is there now and later replacements do not reach it", () => {
  const old = file("old");
  const root = merge(["a", old], ["b", "/./a"], ["a", file("new")]);
  assert.equal(root.entries.get(bytes("b")), old);
  assert.notEqual(root.entries.get(bytes("a")), old);
});

test("applyLayerEntry() acts on markers at once", () => {
  const root = merge(
    ["d", directory()],
    ["d/gone", file()],
    ["d/.wh..wh..opq", file()],
    ["d/kept", file()],
    ["x", file()],
    [".wh.x", symlink("whatever")],
    [".wh.missing", file()],
    [".wh.", file()],
    ["null", whiteout()],
  );
  assert.deepEqual(names(root), ["d /d", "f /d/kept", "c /null"]);
});

test("applyLayerEntry() refuses what the reference refuses, in its words", () => {
  const cases: [Entry[], string][] = [
    [[["usr/no/x", file()]], 'Cannot apply layer entry "usr/no/x": Directory entry "usr" does not exist'],
    [
      [
        ["lib", symlink("usr")],
        ["lib/x", file()],
      ],
      'Cannot apply layer entry "lib/x": Directory entry "lib" is not a subdirectory',
    ],
    [[["a", "nope"]], 'Cannot apply layer entry "a": Directory entry "nope" does not exist'],
    [
      [
        ["d", directory()],
        ["a", "d"],
      ],
      'Cannot apply layer entry "a": hard link target "d" is a directory',
    ],
    [[["/", file()]], 'Cannot apply layer entry "/": the root must be a directory'],
    [
      [["usr/..", directory()]],
      'Cannot apply layer entry "usr/..": Cannot use path "usr/..": Invalid filename "/usr/.."',
    ],
  ];
  for (const [entries, message] of cases) {
    assert.throws(() => merge(...entries), { name: "SealrootError", code: "corrupt", message });
  }
});
