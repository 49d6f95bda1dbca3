/** What a difference between two trees is. */
import type { ByteString } from "../bytes/index.ts";
import type { TreeNode } from "../tree/index.ts";

/**
 * What of a path differs. `entry`: it is on one side only; `type`: it is another kind of file, and nothing else of it is
 * compared; `hard-link`: with which other names it shares its inode.
 */
export type DifferenceField =
  | "entry"
  | "type"
  | "mode"
  | "uid"
  | "gid"
  | "mtime"
  | "size"
  | "content"
  | "target"
  | "device"
  | "xattr"
  | "hard-link";

/** One field of one path that differs. */
export interface Difference {
  /** Absolute. */
  readonly path: ByteString;
  readonly field: DifferenceField;
  /** The name of an extended attribute. */
  readonly xattr?: ByteString;
  /** The values, exact and as text; undefined where there is none. */
  readonly a: string | undefined;
  readonly b: string | undefined;
  /** What is at the path on either side. */
  readonly nodes: { readonly a: TreeNode | undefined; readonly b: TreeNode | undefined };
}

/** The same field of the same path, as a key. */
export function differenceKey({ path, field, xattr = "" as ByteString }: Omit<Difference, "nodes">): string {
  return `${field} ${xattr} ${path}`;
}
