/** Any tree, and any one change to it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ByteString } from "../../src/bytes/index.ts";
import { treeDifferences } from "../../src/compare/index.ts";
import {
  cloneTree,
  type DirectoryNode,
  type FileContent,
  hardLinkCounts,
  type LeafNode,
  type Metadata,
  newDirectory,
  newMetadata,
  type TreeNode,
  walkTree,
} from "../../src/tree/index.ts";
import { randomTree } from "../tree/random-tree.ts";

/** `FIELD PATH`, of every difference. */
function fields(a: DirectoryNode, b: DirectoryNode): string[] {
  return [...treeDifferences(a, b)].map(
    ({ field, xattr, path }) => `${field}${xattr === undefined ? "" : ` ${xattr}`} ${path}`,
  );
}

/** The first names of all inodes: where a change to the inode is told. */
function firstNames(
  root: DirectoryNode,
): { path: ByteString; node: TreeNode; parent: DirectoryNode | undefined; name: ByteString }[] {
  const seen = new Set<TreeNode>();
  return [...walkTree(root)].filter(({ node }) => {
    const isNew = !seen.has(node);
    seen.add(node);
    return isNew;
  });
}

test("treeDifferences() of a tree and its copy is empty", () => {
  fc.assert(fc.property(randomTree, (tree) => assert.deepEqual(fields(tree, cloneTree(tree)), [])));
});

type Change = (metadata: Metadata) => string;
const CHANGES: readonly Change[] = [
  (metadata) => {
    metadata.mode ^= 0o1;
    return "mode";
  },
  (metadata) => {
    metadata.uid = (metadata.uid + 1) % 2 ** 32;
    return "uid";
  },
  (metadata) => {
    metadata.gid = (metadata.gid + 1) % 2 ** 32;
    return "gid";
  },
  (metadata) => {
    metadata.mtimeSeconds += 1n;
    return "mtime";
  },
  (metadata) => {
    metadata.mtimeNanoseconds = (metadata.mtimeNanoseconds + 1) % 1_000_000_000;
    return "mtime";
  },
  (metadata) => {
    metadata.xattrs = new Map([...metadata.xattrs, ["user.one more" as ByteString, Buffer.from([1])]]);
    return "xattr user.one more";
  },
];

test("treeDifferences() names the one field of metadata that was changed, at the inode's first name", () => {
  fc.assert(
    fc.property(randomTree, fc.nat(), fc.nat(CHANGES.length - 1), (tree, at, which) => {
      const copy = cloneTree(tree);
      const nodes = firstNames(copy);
      const { path, node } = nodes[at % nodes.length] as (typeof nodes)[number];
      const field = CHANGES[which]?.(node.metadata);
      assert.deepEqual(fields(tree, copy), [`${field} ${path}`]);
      assert.deepEqual(fields(copy, tree), [`${field} ${path}`]);
    }),
  );
});

test("treeDifferences() names an attribute that is gone, and one that has another value", () => {
  fc.assert(
    fc.property(randomTree, fc.nat(), fc.boolean(), (tree, at, isGone) => {
      const copy = cloneTree(tree);
      const nodes = firstNames(copy).filter(({ node }) => node.metadata.xattrs.size > 0);
      const chosen = nodes[at % Math.max(nodes.length, 1)];
      if (chosen === undefined) return;
      const { metadata } = chosen.node;
      const [name, value] = [...metadata.xattrs][0] as [ByteString, Uint8Array];
      const others = [...metadata.xattrs].slice(1);
      metadata.xattrs = new Map(isGone ? others : [...others, [name, Buffer.concat([value, Buffer.from([0])])]]);
      assert.deepEqual(fields(tree, copy), [`xattr ${name} ${chosen.path}`]);
    }),
  );
});

function changedLeaf(leaf: LeafNode): { leaf: LeafNode; fields: readonly string[] } {
  switch (leaf.kind) {
    case "file": {
      const { content } = leaf;
      const changed: FileContent =
        content.type === "inline"
          ? { type: "inline", bytes: Buffer.concat([content.bytes, Buffer.from("!")]) }
          : { type: "external", sizeBytes: content.sizeBytes, objectId: "c".repeat(64) };
      return {
        leaf: { ...leaf, content: changed },
        fields: content.type === "inline" ? ["size", "content"] : ["content"],
      };
    }
    case "symlink":
      return { leaf: { ...leaf, target: `${leaf.target}!` as ByteString }, fields: ["target"] };
    case "character-device":
    case "block-device":
      return { leaf: { ...leaf, rdev: leaf.rdev ^ 1 }, fields: ["device"] };
    default:
      return { leaf: { kind: leaf.kind === "fifo" ? "socket" : "fifo", metadata: leaf.metadata }, fields: ["type"] };
  }
}

test("treeDifferences() names what of a file, link or device was changed", () => {
  fc.assert(
    fc.property(randomTree, fc.nat(), (tree, at) => {
      const copy = cloneTree(tree);
      const leaves = firstNames(copy).filter(({ node }) => node.kind !== "directory");
      const chosen = leaves[at % Math.max(leaves.length, 1)];
      if (chosen === undefined) return;
      const changed = changedLeaf(chosen.node as LeafNode);
      const names = [...walkTree(copy)].filter(({ node }) => node === chosen.node);
      for (const { parent, name } of names) parent?.entries.set(name, changed.leaf);
      // Of another type is each of its names.
      const paths = changed.fields.includes("type") ? names.map(({ path }) => path) : [chosen.path];
      assert.deepEqual(
        fields(tree, copy),
        paths.flatMap((path) => changed.fields.map((field) => `${field} ${path}`)),
      );
    }),
  );
});

test("treeDifferences() names a path that is gone or new once, whatever is below it, and whatever shares its inode", () => {
  fc.assert(
    fc.property(randomTree, fc.nat(), (tree, at) => {
      const copy = cloneTree(tree);
      const below = [...walkTree(copy)].filter(({ parent }) => parent !== undefined);
      const chosen = below[at % Math.max(below.length, 1)];
      if (chosen === undefined) return;
      chosen.parent?.entries.delete(chosen.name);
      const [difference, ...others] = [...treeDifferences(tree, copy)];
      assert.deepEqual(others, []);
      assert.equal(difference?.path, chosen.path);
      assert.equal(difference?.field, "entry");
      assert.equal(difference?.b, undefined);
      assert.deepEqual(fields(copy, tree), [`entry ${chosen.path}`]);
    }),
  );
});

test("treeDifferences() names a hard link that was copied", () => {
  fc.assert(
    fc.property(randomTree, fc.nat(), (tree, at) => {
      const copy = cloneTree(tree);
      const linked = [...walkTree(copy)].filter(({ node }) => hardLinkCounts(copy).has(node as LeafNode));
      const seen = new Set<TreeNode>();
      const later = linked.filter(({ node }) => seen.has(node) || !seen.add(node));
      const chosen = later[at % Math.max(later.length, 1)];
      if (chosen === undefined) return;
      const leaf = chosen.node as LeafNode;
      chosen.parent?.entries.set(chosen.name, { ...leaf, metadata: newMetadata(leaf.metadata) });
      assert.deepEqual(fields(tree, copy), [`hard-link ${chosen.path}`]);
      assert.deepEqual(fields(copy, tree), [`hard-link ${chosen.path}`]);
    }),
  );
});

test("treeDifferences() of trees as deep as may be and directories as large as are real", () => {
  const deep = (length: number) => {
    const root = newDirectory();
    let at = root;
    for (let depth = 0; depth < length; depth++) {
      const next = newDirectory();
      at.entries.set("d" as ByteString, next);
      at = next;
    }
    return { root, at };
  };
  const [a, b] = [deep(2048), deep(2048)];
  b.at.metadata.mode = 0o700;
  assert.deepEqual(fields(a.root, b.root), [`mode ${"/d".repeat(2048)}`]);
  const wide = newDirectory();
  for (let index = 0; index < 100_000; index++) wide.entries.set(`n${index}` as ByteString, newDirectory());
  assert.deepEqual(fields(wide, cloneTree(wide)), []);
});
