/** The `/etc` of an image as the state of a deployment gets it. */
import { type ByteString, byteStringOfText } from "../bytes/index.ts";
import {
  cloneTree,
  type DirectoryNode,
  lookupPath,
  newDirectory,
  newMetadata,
  type TreeNode,
  walkTree,
} from "../tree/index.ts";
import { isUnshownXattr, type StateXattrs } from "./state-xattrs.ts";

const ETC = byteStringOfText("/etc");
/**
 * Its absence makes the units of ConditionNeedsUpdate=/etc run at first boot (systemd.unit(5)). The running system makes
 * it, so that it is neither the image's nor a change of the administrator.
 */
const UPDATED_STAMP = byteStringOfText(".updated");

/** The directory without its `.updated` stamp; everything else in it is shared. */
export function withoutUpdatedStamp(etc: DirectoryNode): DirectoryNode {
  return { ...etc, entries: new Map([...etc.entries].filter(([name]) => name !== UPDATED_STAMP)) };
}

/**
 * `/etc` as it is copied out of an image, for {@link diffEtc} and {@link mergeEtc}: with the attributes that a mount of the
 * image does not show, without the `.updated` stamp. An image without one has an empty one.
 *
 * @param image the tree of the bootable image; stays as it is
 */
export function etcOfImage(image: DirectoryNode, xattrs: StateXattrs): DirectoryNode {
  const found = lookupPath(image, ETC);
  if (found?.kind !== "directory") return newDirectory(newMetadata({ mode: 0o755 }));
  const etc = cloneTree(withoutUpdatedStamp(found));
  const done = new Set<TreeNode>();
  for (const { node, path } of walkTree(etc, ETC)) {
    const more = xattrs.get(path);
    if (more === undefined || done.has(node)) continue;
    done.add(node);
    node.metadata.xattrs = new Map<ByteString, Uint8Array>([...node.metadata.xattrs, ...more]);
  }
  return etc;
}

/**
 * The image's `/etc` as the live one was copied from it: bootc copies what a mount of the image shows, without access control
 * lists and `user.*`. A live `/etc` that has none of these where the image has them is such a copy; otherwise every file that
 * has one would count as changed on this host, and no update would reach it.
 *
 * @param pristine what {@link etcOfImage} gives; stays as it is
 */
export function asCopied(pristine: DirectoryNode, current: DirectoryNode): DirectoryNode {
  const unshown = [...walkTree(pristine, ETC)].filter(({ node }) =>
    [...node.metadata.xattrs.keys()].some(isUnshownXattr),
  );
  if (unshown.length === 0) return pristine;
  const live = new Map([...walkTree(current, ETC)].map(({ node, path }) => [path, node]));
  const isPresent = ({ path }: { path: ByteString }) =>
    [...(live.get(path)?.metadata.xattrs.keys() ?? [])].some(isUnshownXattr);
  if (unshown.some(isPresent)) return pristine;
  const copy = cloneTree(pristine);
  for (const { node } of walkTree(copy, ETC)) {
    node.metadata.xattrs = new Map([...node.metadata.xattrs].filter(([name]) => !isUnshownXattr(name)));
  }
  return copy;
}
