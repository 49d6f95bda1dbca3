/** Random trees: all kinds, odd names, hard links, xattrs in every corner the EROFS writer knows. */
import fc from "fast-check";
import { type ByteString, byteString } from "../../src/bytes/index.ts";
import { type DirectoryNode, type LeafNode, type Metadata, newDirectory, type TreeNode } from "../../src/tree/index.ts";

const nameBytes = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f))
  .map((bytes) => byteString(bytes));
const name = fc
  .oneof(
    { weight: 3, arbitrary: nameBytes },
    { weight: 1, arbitrary: fc.constantFrom("00", "7f", "ff", "FF", "!", "-", ".-", "...", "n".repeat(255)) },
  )
  .filter((each) => each !== "." && each !== "..") as fc.Arbitrary<ByteString>;

const xattrName = fc.oneof(
  fc.constantFrom(
    "user.a",
    "user.",
    "security.selinux",
    "security.capability",
    "trusted.overlay.opaque",
    "trusted.overlay.metacopy",
    "trusted.overlay.overlay.x",
    "trusted.t",
    "lustre.lov",
    "system.posix_acl_access",
    "other",
  ),
  nameBytes.map((bytes) => `user.${bytes}`),
) as fc.Arbitrary<ByteString>;
const xattrValue = fc.oneof(fc.constantFrom(Buffer.from(""), Buffer.from("x")), fc.uint8Array({ maxLength: 40 }));

const metadata: fc.Arbitrary<Metadata> = fc.record({
  mode: fc.nat(0o7777),
  uid: fc.oneof(fc.constant(0), fc.constantFrom(65_535, 65_536, 2 ** 32 - 1)),
  gid: fc.oneof(fc.constant(0), fc.nat(70_000)),
  mtimeSeconds: fc.oneof(fc.constant(1000n), fc.bigInt({ min: 0n, max: 2n ** 40n })),
  mtimeNanoseconds: fc.oneof(fc.constant(0), fc.nat(999_999_999)),
  xattrs: fc.array(fc.tuple(xattrName, xattrValue), { maxLength: 4 }).map((pairs) => new Map(pairs)),
});

const sizeBytes = fc.oneof(
  fc.integer({ min: 1, max: 100_000 }),
  fc.constantFrom(2 ** 32, 2 ** 43, 2 ** 43 + 1, 2 ** 50),
);
const objectId = fc.constantFrom("a".repeat(64), "b".repeat(64), "0123456789abcdef".repeat(4));

const leaf: fc.Arbitrary<LeafNode> = fc.oneof(
  fc.record({
    kind: fc.constant("file" as const),
    metadata,
    content: fc.oneof(
      fc
        .oneof(fc.uint8Array({ maxLength: 20 }), fc.constant(new Uint8Array(512)))
        .map((bytes) => ({ type: "inline" as const, bytes })),
      fc.record({ type: fc.constant("external" as const), sizeBytes, objectId }),
    ),
  }),
  fc.record({
    kind: fc.constant("symlink" as const),
    metadata,
    target: fc.oneof(nameBytes, fc.constant("t".repeat(1024) as ByteString)),
  }),
  fc.record({
    kind: fc.constantFrom("character-device" as const, "block-device" as const),
    metadata,
    rdev: fc.constantFrom(0, 259, 2 ** 32 - 1),
  }),
  fc.record({ kind: fc.constantFrom("fifo" as const, "socket" as const), metadata }),
);

const { directory } = fc.letrec<{ directory: DirectoryNode; node: TreeNode }>((tie) => ({
  directory: fc.tuple(metadata, fc.array(fc.tuple(name, tie("node")), { maxLength: 8 })).map(([own, entries]) => {
    const node = newDirectory(own);
    for (const [each, child] of entries) node.entries.set(each, child as TreeNode);
    return node;
  }),
  node: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    { weight: 3, arbitrary: leaf },
    { weight: 1, arbitrary: tie("directory") },
  ),
}));

/** A tree; some of its leaves have a second and third name in the root. */
export const randomTree: fc.Arbitrary<DirectoryNode> = fc
  .tuple(directory, fc.array(fc.tuple(name, leaf, name), { maxLength: 3 }))
  .map(([root, links]) => {
    for (const [first, node, second] of links) {
      if (node.kind === "character-device" && node.rdev === 0) continue; // no tool takes hard-linked whiteouts
      root.entries.set(first, node);
      root.entries.set(second, node);
    }
    return root;
  });
