/** The extended attributes of `/etc` and `/var`, which are copied from the image and keep more than it shows. */
import { type ByteString, byteStringOfText } from "../bytes/index.ts";
import { type DirectoryNode, lookupPath, walkTree } from "../tree/index.ts";

/** By path, such as `/etc/passwd`. Files without any are left out. */
export type StateXattrs = ReadonlyMap<ByteString, ReadonlyMap<ByteString, Uint8Array>>;

/** The folders of an image that every host has its own copy of. */
const STATE_FOLDERS = ["/etc", "/var"].map(byteStringOfText);

/**
 * What the files of the state keep besides their labels: access control lists, `user.*` and capabilities.
 *
 * @param image all layers merged, before a transform removes attributes
 */
export function stateXattrs(image: DirectoryNode): StateXattrs {
  const found = new Map<ByteString, ReadonlyMap<ByteString, Uint8Array>>();
  for (const folder of STATE_FOLDERS) {
    const start = lookupPath(image, folder);
    if (start?.kind !== "directory") continue;
    for (const { node, path } of walkTree(start, folder)) {
      const kept = [...node.metadata.xattrs].filter(([name]) => isKept(name));
      if (kept.length > 0) found.set(path, new Map(kept));
    }
  }
  return found;
}

/** Attributes that mean the same on every machine. Labels come from the image's policy. */
function isKept(name: ByteString): boolean {
  return isUnshownXattr(name) || name === "security.capability";
}

/** How the names of attributes begin that a mount of the image does not show, unless it was made to keep them (spec/oci.md 4). */
export const UNSHOWN_XATTRS: readonly string[] = ["user.", "system.posix_acl_"];

/** Whether a mount of the image does not show it, see {@link UNSHOWN_XATTRS}. */
export function isUnshownXattr(name: ByteString): boolean {
  return UNSHOWN_XATTRS.some((prefix) => name.startsWith(prefix));
}
