import assert from "node:assert/strict";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { addedLayerMembers, applyMembers } from "../../src/seal/added-layer.ts";
import {
  cloneTree,
  composeBootTree,
  type DirectoryNode,
  formatDump,
  newDirectory,
  newMetadata,
} from "../../src/tree/index.ts";
import { rootOf, type TreeItem } from "../tree/tree-of.ts";

/** There is no SELinux policy to read. */
const noContent = () => assert.fail("a content was read");

function directory(mtime: bigint, entries: Record<string, DirectoryNode> = {}): DirectoryNode {
  const node = newDirectory(newMetadata({ mode: 0o751, uid: 3, gid: 4, mtimeSeconds: mtime, mtimeNanoseconds: 5 }));
  for (const [name, child] of Object.entries(entries)) node.entries.set(byteStringOfText(name), child);
  return node;
}

test("the added layer lists parents with the input's metadata, then whiteouts, then files, each parent once", () => {
  const root = directory(1n, { usr: directory(2n, { lib: directory(3n) }), boot: directory(7n) });

  const members = addedLayerMembers(
    root,
    {
      removed: ["/usr/lib/vmlinuz"],
      added: [
        { path: "/usr/lib/a.b/x", bytes: Uint8Array.of(1, 2) },
        { path: "/usr/lib/a", bytes: Uint8Array.of(3) },
        { path: "/boot/EFI/u.efi", bytes: Uint8Array.of(4) },
      ],
    },
    1000n,
  );
  const listed = members.map(({ header }) => [header.path, header.mode.toString(8), header.uid, header.mtimeSeconds]);
  assert.deepEqual(listed, [
    ["boot", "751", 3, 2n],
    ["boot/EFI", "755", 0, 1000n],
    ["boot/EFI/u.efi", "644", 0, 1000n],
    ["usr", "751", 3, 2n],
    ["usr/lib", "751", 3, 3n],
    ["usr/lib/.wh.vmlinuz", "644", 0, 1000n],
    ["usr/lib/a", "644", 0, 1000n],
    ["usr/lib/a.b", "755", 0, 1000n],
    ["usr/lib/a.b/x", "644", 0, 1000n],
  ]);
  assert.equal(members[3]?.header.mtimeNanoseconds, 5);
});

test("whatever times /usr, /boot and /sysroot had, the sealed tree is one by both rules for them", () => {
  const withFraction = (nanoseconds: number, entries: Record<string, DirectoryNode> = {}) => {
    const node = directory(BigInt(nanoseconds), entries);
    node.metadata.mtimeNanoseconds = nanoseconds;
    return node;
  };
  const root = directory(1n, { usr: withFraction(11), boot: withFraction(22), sysroot: withFraction(33) });
  const trees = (["full", "seconds"] as const).map((times) => {
    const sealed = cloneTree(root);
    applyMembers(sealed, addedLayerMembers(root, { removed: [], added: [] }, 1000n));
    composeBootTree(sealed, noContent, { keepUserXattrs: false, bootTimes: times });
    return Buffer.from(formatDump(sealed)).toString();
  });
  assert.match(trees[0] ?? "", /^\/boot 0 40751 2 3 4 0 11\.11 .*\n\/sysroot 0 40751 2 3 4 0 11\.11 /m);
  assert.equal(trees[1], trees[0]);
});

test("the added layer never takes the place of what is not a directory, or of a directory", () => {
  const add = (items: Readonly<Record<string, TreeItem>>) => () =>
    addedLayerMembers(
      rootOf(items),
      { removed: [], added: [{ path: "/boot/EFI/Linux/u.efi", bytes: Uint8Array.of(1) }] },
      0n,
    );
  const cases: readonly (readonly [Readonly<Record<string, TreeItem>>, string])[] = [
    [{ "/boot/EFI": { link: "/usr/lib/efi" } }, "/boot/EFI is a symlink, a directory is expected there"],
    [{ "/boot": "a file" }, "/boot is a file, a directory is expected there"],
    [{ "/boot/EFI/Linux/u.efi/": undefined }, "/boot/EFI/Linux/u.efi is a directory, a file is expected there"],
  ];
  for (const [items, state] of cases) {
    assert.throws(add(items), { code: "unsupported", message: `Cannot seal the image: ${state}` });
  }
});
