/** What may have been done to a tree after a digest was computed of it, to be tried out. */
import type { ByteString } from "../bytes/index.ts";
import { type DirectoryNode, lookupPath, type TreeNode, walkTree } from "../tree/index.ts";

/** A change that is undone. */
export interface Hypothesis {
  /** What the other side is then, in words. */
  readonly title: string;
  /** Changes the tree in place. @returns false when there is nothing to undo */
  undo(root: DirectoryNode): boolean;
}

const KERNEL_FILES = ["vmlinuz", "initramfs.img", ".vmlinuz.hmac"] as ByteString[];

const WITHOUT_KERNEL: Hypothesis = {
  title: "without kernel and initramfs, as they are split from the root before sealing",
  undo(root) {
    const modules = lookupPath(root, "/usr/lib/modules" as ByteString);
    if (modules?.kind !== "directory") return false;
    const found = [...modules.entries.values()].flatMap((release) =>
      release.kind === "directory" ? KERNEL_FILES.filter((name) => release.entries.delete(name)) : [],
    );
    return found.length > 0;
  },
};

const WHOLE_SECONDS = onEveryNode(
  "with whole seconds, as a tool leaves them that drops nanoseconds",
  ({ metadata }) => {
    if (metadata.mtimeNanoseconds === 0) return false;
    metadata.mtimeNanoseconds = 0;
    return true;
  },
);

const OWNED_BY_ROOT = onEveryNode("with everything owned by root", ({ metadata }) => {
  if (metadata.uid === 0 && metadata.gid === 0) return false;
  Object.assign(metadata, { uid: 0, gid: 0 });
  return true;
});

const WIDE_LINKS = onEveryNode("with symbolic links of mode 0777, as file systems have them", ({ kind, metadata }) => {
  if (kind !== "symlink" || metadata.mode === 0o777) return false;
  metadata.mode = 0o777;
  return true;
});

const ETC_IN_PLACE: Hypothesis = {
  title: "with /usr/etc as /etc",
  undo(root) {
    const usr = root.entries.get("usr" as ByteString);
    const etc = usr?.kind === "directory" ? usr.entries.get("etc" as ByteString) : undefined;
    if (usr?.kind !== "directory" || etc?.kind !== "directory" || root.entries.has("etc" as ByteString)) return false;
    usr.entries.delete("etc" as ByteString);
    root.entries.set("etc" as ByteString, etc);
    return true;
  },
};

function onEveryNode(title: string, change: (node: TreeNode) => boolean): Hypothesis {
  return {
    title,
    undo(root) {
      let isChanged = false;
      for (const { node } of walkTree(root)) isChanged = change(node) || isChanged;
      return isChanged;
    },
  };
}

/** The likely ones first. */
export const HYPOTHESES: readonly Hypothesis[] = [
  WITHOUT_KERNEL,
  WHOLE_SECONDS,
  WIDE_LINKS,
  OWNED_BY_ROOT,
  ETC_IN_PLACE,
];
