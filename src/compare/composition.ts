/** What was done to a tree before it was put into an image, as far as the tree shows it. */
import type { ByteString } from "../bytes/index.ts";
import {
  allDirectories,
  type BootTimes,
  type DirectoryNode,
  LABEL_XATTR,
  type Metadata,
  type TreeNode,
} from "../tree/index.ts";

/**
 * `raw`: as unpacked; `plain`: as in the image of the whole tree; `boot`: as in the image that is booted. The rules of the
 * last two are those of `composeBootTree`.
 */
export type Composition =
  | { readonly stage: "raw" }
  | { readonly stage: "plain"; readonly keepUserXattrs: boolean }
  | { readonly stage: "boot"; readonly keepUserXattrs: boolean; readonly bootTimes: BootTimes };

export type Stage = Composition["stage"];

const EMPTIED = ["boot", "sysroot"] as ByteString[];

/**
 * Recognises trees of images by what the transforms leave (spec/oci.md 4 and 6). A tree that looks composed by chance is
 * not changed by composing it again, but for labels.
 */
export function compositionOf(root: DirectoryNode): Composition {
  const usr = directoryAt(root, "usr");
  if (usr === undefined || !looksComposed(root, usr)) return { stage: "raw" };
  const names = xattrNames(root);
  const keepUserXattrs = [...names].some((name) => name.startsWith("user."));
  const isForeign = (name: string) =>
    name !== "security.capability" && name !== LABEL_XATTR && !name.startsWith("user.");
  if ([...names].some(isForeign)) return { stage: "raw" };
  const emptied = EMPTIED.map((name) => directoryAt(root, name));
  const isBoot = emptied.every(
    (directory) => directory?.entries.size === 0 && directory.metadata.mtimeSeconds === usr.metadata.mtimeSeconds,
  );
  if (!isBoot) return names.has(LABEL_XATTR) ? { stage: "raw" } : { stage: "plain", keepUserXattrs };
  const { mtimeNanoseconds } = usr.metadata;
  const hasFullTimes = emptied.every((directory) => directory?.metadata.mtimeNanoseconds === mtimeNanoseconds);
  return { stage: "boot", keepUserXattrs, bootTimes: hasFullTimes ? "full" : "seconds" };
}

function looksComposed(root: DirectoryNode, usr: DirectoryNode): boolean {
  if (!sameMetadata(root.metadata, usr.metadata)) return false;
  const run = root.entries.get("run" as ByteString);
  if (run === undefined) return true;
  return run.kind === "directory" && run.entries.size === 0 && sameTime(run.metadata, usr.metadata);
}

function sameMetadata(a: Metadata, b: Metadata): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || !sameTime(a, b)) return false;
  const names = new Set([...a.xattrs.keys(), ...b.xattrs.keys()]);
  names.delete(LABEL_XATTR);
  return [...names].every((name) => {
    const [left, right] = [a.xattrs.get(name), b.xattrs.get(name)];
    return left !== undefined && right !== undefined && Buffer.compare(left, right) === 0;
  });
}

function sameTime(a: Metadata, b: Metadata): boolean {
  return a.mtimeSeconds === b.mtimeSeconds && a.mtimeNanoseconds === b.mtimeNanoseconds;
}

function xattrNames(root: DirectoryNode): Set<ByteString> {
  const names = new Set<ByteString>();
  const add = (node: TreeNode) => {
    for (const name of node.metadata.xattrs.keys()) names.add(name);
  };
  for (const directory of allDirectories(root)) {
    add(directory);
    for (const child of directory.entries.values()) add(child);
  }
  return names;
}

/** A directory of the root. */
export function directoryAt(root: DirectoryNode, name: string): DirectoryNode | undefined {
  const node = root.entries.get(name as ByteString);
  return node?.kind === "directory" ? node : undefined;
}

/** The furthest stage that a raw tree can be brought to. */
export function reachableStage(root: DirectoryNode): Stage {
  const run = root.entries.get("run" as ByteString);
  if (directoryAt(root, "usr") === undefined || (run !== undefined && run.kind !== "directory")) return "raw";
  return EMPTIED.every((name) => directoryAt(root, name) !== undefined) ? "boot" : "plain";
}

/** The earlier of two stages. */
export function earlierStage(a: Stage, b: Stage): Stage {
  const order: readonly Stage[] = ["raw", "plain", "boot"];
  return order.indexOf(a) <= order.indexOf(b) ? a : b;
}
