/** Paths: splitting and joining, and finding nodes in a tree with or without following symbolic links. */
import { type ByteString, displayText } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import type { DirectoryNode, SymlinkNode, TreeNode } from "./node.ts";

/** NAME_MAX of linux/limits.h; EROFS itself cannot store more. */
export const NAME_MAX_BYTES = 255;
/** Deepest nesting accepted anywhere, the limit of composefs-rs (spec/erofs.md 8). Keeps recursion over trees safe. */
export const DEPTH_MAX = 2048;
/** MAXSYMLINKS of the Linux kernel. */
const SYMLINKS_FOLLOWED_MAX = 40;

/** `parent` and `name` as one path; the root is "/", and a final slash of `parent` is not doubled. */
export function joinPath(parent: ByteString, name: ByteString): ByteString {
  return (parent.endsWith("/") ? `${parent}${name}` : `${parent}/${name}`) as ByteString;
}

/** A path for an error message, quoted. */
export function quotePath(path: ByteString): string {
  return JSON.stringify(displayText(path));
}

/**
 * The components of an archive's path: leading, double and trailing slashes and `.` components are dropped
 * (spec/oci.md 3).
 *
 * @returns no components for the root itself
 * @throws SealrootError `corrupt` for a `..` component, a NUL, a name over 255 bytes, or more than 2048 components
 */
export function splitPath(path: ByteString): ByteString[] {
  if (path.includes("\0")) throw corrupt(`Cannot use path ${quotePath(path)}: it contains a NUL`, { path });
  const components: ByteString[] = [];
  for (const component of path.split("/") as ByteString[]) {
    if (component === "" || component === ".") continue;
    if (component === "..") {
      const upTo = `/${[...components, component].join("/")}` as ByteString;
      throw corrupt(`Cannot use path ${quotePath(path)}: Invalid filename ${quotePath(upTo)}`, { path });
    }
    if (component.length > NAME_MAX_BYTES) {
      throw corrupt(`Cannot use path ${quotePath(path)}: a name of ${component.length} bytes is over 255`, { path });
    }
    components.push(component);
  }
  if (components.length > DEPTH_MAX) {
    throw corrupt(`Cannot use path of ${components.length} components: more than ${DEPTH_MAX}`, { path });
  }
  return components;
}

/** A node and its path, free of symbolic links. */
export interface ResolvedPath {
  readonly path: ByteString;
  readonly node: TreeNode;
}

/** The node at exactly this path without following symbolic links, or undefined. `..` is not supported. */
export function lookupPath(root: DirectoryNode, path: ByteString): TreeNode | undefined {
  let node: TreeNode | undefined = root;
  for (const component of path.split("/") as ByteString[]) {
    if (component === "") continue;
    if (node?.kind !== "directory") return undefined;
    node = node.entries.get(component);
  }
  return node;
}

/**
 * Finds a path as the kernel would with `root` as the process's root: links in the middle are followed, absolute ones
 * from the root, `..` goes up but never above the root.
 *
 * @param options.followLast whether a final link is followed too (default true)
 * @returns undefined when some part does not exist or is not a directory
 * @throws SealrootError `corrupt` after 40 links, as ELOOP
 */
export function resolvePath(
  root: DirectoryNode,
  path: ByteString,
  options: { readonly followLast?: boolean } = {},
): ResolvedPath | undefined {
  const followLast = options.followLast ?? true;
  const stack: { name: ByteString; node: TreeNode }[] = [];
  const pending = (path.split("/") as ByteString[]).toReversed();
  let linksFollowed = 0;
  for (let component = pending.pop(); component !== undefined; component = pending.pop()) {
    const parent = stack.at(-1)?.node ?? root;
    if (parent.kind !== "directory") return undefined;
    if (component === "" || component === ".") continue;
    if (component === "..") {
      stack.pop();
      continue;
    }
    const node = parent.entries.get(component);
    if (node === undefined) return undefined;
    const isLast = pending.length === 0; // a trailing slash makes even lstat follow
    if (node.kind === "symlink" && (followLast || !isLast)) {
      if (++linksFollowed > SYMLINKS_FOLLOWED_MAX) throw tooManyLinks(path);
      if (node.target.startsWith("/")) stack.length = 0;
      pending.push(...targetComponents(node));
    } else {
      stack.push({ name: component, node });
    }
  }
  return { path: `/${stack.map((step) => step.name).join("/")}` as ByteString, node: stack.at(-1)?.node ?? root };
}

function targetComponents(link: SymlinkNode): ByteString[] {
  return (link.target.split("/") as ByteString[]).toReversed();
}

function tooManyLinks(path: ByteString): Error {
  return corrupt(`Cannot resolve ${quotePath(path)}: more than ${SYMLINKS_FOLLOWED_MAX} symbolic links`, { path });
}

/**
 * The directory under this name.
 * @throws SealrootError `corrupt` with the reference tool's wording (spec/oci.md 11)
 */
export function subdirectory(parent: DirectoryNode, name: ByteString): DirectoryNode {
  const node = parent.entries.get(name);
  if (node === undefined) throw corrupt(`Directory entry ${quotePath(name)} does not exist`);
  if (node.kind !== "directory") throw corrupt(`Directory entry ${quotePath(name)} is not a subdirectory`);
  return node;
}
