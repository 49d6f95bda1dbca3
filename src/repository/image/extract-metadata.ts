/** Setting the metadata of extracted inodes. */
import { chmodSync, lchownSync } from "node:fs";
import { displayText } from "../../bytes/index.ts";
import { asSealrootError } from "../../errors/index.ts";
import { setModificationTime, setXattr } from "../../platform/index.ts";
import { PERMISSION_MASK, type TreeNode } from "../../tree/index.ts";
import { isUserXattr } from "./extract-rights.ts";

/** How much of the metadata is set. */
export interface MetadataRules {
  /**
   * False: files belong to the caller; attributes outside `user.` are left out, and so are set-user-id and set-group-id
   * bits, which would mean a different user than in the image.
   */
  readonly sameOwner: boolean;
  readonly xattrs: boolean;
  /** What to do about an attribute that cannot be set. */
  readonly xattrHint?: string;
}

/** S_ISUID and S_ISGID of inode(7). */
const SET_ID_BITS = 0o6000;

/**
 * Owner and attributes, in this order: a change of owner clears security.capability (capabilities(7)).
 * @param path as this process reaches it; links are not followed
 */
export function setOwnerAndXattrs(path: Buffer, node: TreeNode, rules: MetadataRules): void {
  const { uid, gid, xattrs } = node.metadata;
  if (rules.sameOwner) lchownSync(path, uid, gid);
  if (!rules.xattrs) return;
  for (const [name, value] of xattrs) {
    if (!rules.sameOwner && !isUserXattr(name)) continue;
    try {
      setXattr(path, name, value);
    } catch (error) {
      const action = `Cannot set the attribute ${JSON.stringify(displayText(name))}`;
      throw asSealrootError(error, action, rules.xattrHint === undefined ? {} : { hint: rules.xattrHint });
    }
  }
}

/** Mode and time; for a directory once everything is in it. A symbolic link has no mode of its own. */
export function setModeAndTime(path: Buffer, node: TreeNode, rules: MetadataRules): void {
  const { mode, mtimeSeconds, mtimeNanoseconds } = node.metadata;
  const mask = rules.sameOwner ? PERMISSION_MASK : PERMISSION_MASK & ~SET_ID_BITS;
  if (node.kind !== "symlink") chmodSync(path, mode & mask);
  setModificationTime(path, mtimeSeconds, mtimeNanoseconds);
}
