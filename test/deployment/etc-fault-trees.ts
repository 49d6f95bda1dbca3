/** Trees with one of everything that a merge makes: contents of three kinds, links of both kinds, attributes, a pipe. */
import { type DirectoryNode, type FileNode, newMetadata, type TreeNode } from "../../src/tree/index.ts";
import { allDirectories } from "../../src/tree/walk.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { bytes, directory, file, symlink } from "../tree/build.ts";

export const IMAGE_CONTENT = Buffer.alloc(5000, "image ");

/** All inodes belong to whoever runs the test. */
export function ownTree(root: DirectoryNode): DirectoryNode {
  const ids = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  Object.assign(root.metadata, ids);
  for (const each of allDirectories(root)) {
    for (const node of each.entries.values()) Object.assign(node.metadata, ids);
  }
  return root;
}

function object(content: Buffer): FileNode {
  const objectId = verityDigest(content, "sha256");
  return { ...file(), content: { type: "external", sizeBytes: content.length, objectId } };
}

export interface FaultTrees {
  readonly pristine: DirectoryNode;
  readonly current: DirectoryNode;
  readonly next: DirectoryNode;
}

export function etcTrees(): FaultTrees {
  const noted = { xattrs: new Map([[bytes("user.note"), Buffer.from("n")]]) };
  const [imageLinked, localLinked] = [object(IMAGE_CONTENT), file("linked")];
  const pipe: TreeNode = { kind: "fifo", metadata: newMetadata({ mode: 0o640 }) };
  return {
    pristine: ownTree(
      directory({ gone: file("p"), d: directory({ f: file("p"), same: file("p") }), old: directory({ x: file("p") }) }),
    ),
    current: ownTree(
      directory({
        d: directory({ f: file("local"), same: file("p"), pipe }, { mode: 0o700, mtimeSeconds: 9n }),
        link: symlink("../outside"),
        old: directory({ x: file("c", noted) }),
        one: localLinked,
        two: localLinked,
      }),
    ),
    next: ownTree(
      directory({
        d: directory({ f: file("n"), same: object(IMAGE_CONTENT) }, noted),
        gone: file("n"),
        image: imageLinked,
        linked: imageLinked,
        link: directory({ below: file("n") }),
      }),
    ),
  };
}
