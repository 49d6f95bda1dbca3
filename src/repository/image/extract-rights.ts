/** The parts of a tree that only root can make: owners, device files, attributes outside `user.`. */
import { SealrootError } from "../../errors/index.ts";
import { type DirectoryNode, type TreeNode, walkTree } from "../../tree/index.ts";

/** How many inodes of a tree only root can make. */
export interface PrivilegedParts {
  /** Inodes whose owner or group is not the caller's. */
  readonly owners: number;
  readonly devices: number;
  /** Inodes with attributes of the kinds security, trusted and system. */
  readonly xattrs: number;
}

/** True for what only root can make with mknod(2). */
export function isDevice(node: TreeNode): boolean {
  return node.kind === "character-device" || node.kind === "block-device";
}

/** The effective ids of a process. */
interface Caller {
  readonly uid: number;
  readonly gid: number;
}

/** The identity of this process. */
export function callerIds(): Caller {
  const uid = process.geteuid?.();
  const gid = process.getegid?.();
  if (uid === undefined || gid === undefined) throw new Error("unreachable: on Linux a process has a user and a group");
  return { uid, gid };
}

/** Looks for what `caller` may not be able to make. */
export function privilegedParts(root: DirectoryNode, caller: Caller): PrivilegedParts {
  const seen = new Set<TreeNode>();
  const counts = { owners: 0, devices: 0, xattrs: 0 };
  for (const { node } of walkTree(root)) {
    if (seen.has(node)) continue;
    seen.add(node);
    const { uid, gid, xattrs } = node.metadata;
    if (uid !== caller.uid || gid !== caller.gid) counts.owners++;
    if (isDevice(node)) counts.devices++;
    if ([...xattrs.keys()].some((name) => !isUserXattr(name))) counts.xattrs++;
  }
  return counts;
}

/** True for an attribute that the owner of a file may set (xattr(7)). */
export function isUserXattr(name: string): boolean {
  return name.startsWith("user.");
}

/** The parts in words, such as "owners (3), devices (1)"; undefined if there are none. */
export function privilegedPartsText({ owners, devices, xattrs }: PrivilegedParts): string | undefined {
  const counts = [
    ["owners", owners],
    ["devices", devices],
    ["privileged attributes", xattrs],
  ] as const;
  const parts = counts.filter(([, count]) => count > 0).map(([what, count]) => `${what} (${count})`);
  return parts.length === 0 ? undefined : parts.join(", ");
}

/** @throws SealrootError `no-access` when there is something that needs root */
export function refusePrivilegedParts(parts: PrivilegedParts): void {
  const text = privilegedPartsText(parts);
  if (text === undefined) return;
  throw new SealrootError("no-access", `Cannot extract everything as an ordinary user: root is needed for ${text}`, {
    hint: "run as root, or leave them out with --no-same-owner",
  });
}
