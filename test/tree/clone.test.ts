import assert from "node:assert/strict";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { cloneTree, type FileNode, newDirectory, newMetadata } from "../../src/tree/index.ts";

test("cloneTree() gives an independent tree in which hard links are still one inode", () => {
  const [a, b, d] = ["a", "b", "d"].map(byteStringOfText) as [never, never, never];
  const file: FileNode = {
    kind: "file",
    metadata: newMetadata({ mode: 0o600, xattrs: new Map([[a, Uint8Array.of(1)]]) }),
    content: { type: "inline", bytes: Uint8Array.of(7) },
  };
  const inner = newDirectory();
  inner.entries.set(b, file);
  const root = newDirectory(newMetadata({ uid: 5 }));
  root.entries.set(a, file).set(d, inner);

  const copy = cloneTree(root);
  assert.deepEqual(copy, root);
  const copiedInner = copy.entries.get(d);
  assert.ok(copiedInner?.kind === "directory");
  assert.equal(copiedInner.entries.get(b), copy.entries.get(a));

  copy.metadata.uid = 6;
  const copied = copy.entries.get(a);
  if (copied !== undefined) copied.metadata.xattrs = new Map();
  copiedInner.entries.clear();
  assert.deepEqual([root.metadata.uid, file.metadata.xattrs.size, inner.entries.size], [5, 1, 1]);
});
