/** OCI layers merged entry by entry (spec/oci.md 3 end and 4). */
import type { ByteString } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import type { DirectoryNode, LeafNode, TreeNode } from "./node.ts";
import { quotePath, splitPath, subdirectory } from "./path.ts";

/**
 * One entry of a layer, as in its archive.
 *
 * `path` (and a hard link's `target`) are the archive's bytes: `./usr/`, `/usr` and `usr` are the same. The tree takes
 * ownership of the node; a directory's has no entries.
 */
export type LayerEntry =
  | { readonly type: "inode"; readonly path: ByteString; readonly node: TreeNode }
  | { readonly type: "hardlink"; readonly path: ByteString; readonly target: ByteString };

const WHITEOUT_PREFIX = ".wh.";
/** Marks a directory whose lower contents are hidden (OCI image specification, layer.md, "Opaque Whiteout"). */
const OPAQUE_MARKER = ".wh..wh..opq";

/**
 * Applies one entry to the tree merged so far. Markers act at once, so they also remove earlier entries of the same
 * layer; well-formed layers have them first. Nothing is created implicitly: a parent that is missing or not a directory
 * (also a symbolic link) is an error, as with the reference tool.
 *
 * @throws SealrootError `corrupt` naming the entry and what is wrong
 */
export function applyLayerEntry(root: DirectoryNode, entry: LayerEntry): void {
  try {
    const components = splitPath(entry.path);
    const name = components.pop();
    if (name === undefined) applyRootEntry(root, entry);
    else applyNamedEntry(root, components, name, entry);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    const path = quotePath(entry.path);
    throw corrupt(`Cannot apply layer entry ${path}: ${error.message}`, { ...error.data, path: entry.path });
  }
}

function applyRootEntry(root: DirectoryNode, entry: LayerEntry): void {
  if (entry.type !== "inode" || entry.node.kind !== "directory") throw corrupt("the root must be a directory");
  Object.assign(root.metadata, entry.node.metadata);
}

function applyNamedEntry(
  root: DirectoryNode,
  parents: readonly ByteString[],
  name: ByteString,
  entry: LayerEntry,
): void {
  const node = entry.type === "hardlink" ? hardLinkTarget(root, entry.target) : entry.node;
  const parent = parents.reduce(subdirectory, root);
  if (name === OPAQUE_MARKER) {
    parent.entries.clear();
  } else if (name.startsWith(WHITEOUT_PREFIX)) {
    parent.entries.delete(name.slice(WHITEOUT_PREFIX.length) as ByteString);
  } else {
    const existing = parent.entries.get(name);
    if (existing?.kind === "directory" && node.kind === "directory") Object.assign(existing.metadata, node.metadata);
    else parent.entries.set(name, node);
  }
}

/** The inode that a hard link names, looked up in the current merged tree. */
function hardLinkTarget(root: DirectoryNode, target: ByteString): LeafNode {
  const components = splitPath(target);
  const name = components.pop();
  const parent = components.reduce(subdirectory, root);
  const node = name === undefined ? root : parent.entries.get(name);
  if (node === undefined) throw corrupt(`Directory entry ${quotePath(name ?? target)} does not exist`);
  if (node.kind === "directory") throw corrupt(`hard link target ${quotePath(target)} is a directory`);
  return node;
}
