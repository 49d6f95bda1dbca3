import assert from "node:assert/strict";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import { newDirectory, newMetadata, TreeFiles } from "../../src/tree/index.ts";

test("TreeFiles reads inline files and objects, and follows links inside the image", () => {
  const root = newDirectory();
  const add = (path: string, node: Parameters<typeof root.entries.set>[1]) => {
    root.entries.set(byteStringOfText(path), node);
  };
  add("a", { kind: "file", metadata: newMetadata(), content: { type: "inline", bytes: Buffer.from("hi") } });
  add("b", { kind: "symlink", metadata: newMetadata(), target: byteStringOfText("/a") });
  add("c", {
    kind: "file",
    metadata: newMetadata(),
    content: { type: "external", sizeBytes: 100, objectId: "0123" },
  });
  const files = new TreeFiles(root, (id) => Buffer.from(`object ${id}`));
  assert.equal(Buffer.from(files.read("/b")).toString(), "hi");
  assert.equal(Buffer.from(files.read("/c")).toString(), "object 0123");
  assert.equal(files.resolve("/b")?.path, "/a");
  assert.deepEqual(files.list("/"), ["a", "b", "c"]);
  assert.deepEqual(files.list("/nope"), []);
  assert.throws(
    () => files.read("/nope"),
    (error: SealrootError) => error.code === "not-found",
  );
});
