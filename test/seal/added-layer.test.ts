import assert from "node:assert/strict";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { addedLayerMembers } from "../../src/seal/added-layer.ts";
import { type DirectoryNode, newDirectory, newMetadata } from "../../src/tree/index.ts";

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
    ["boot", "751", 3, 7n],
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
